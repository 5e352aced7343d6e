"""Runs in processes, each kept as a line of a file as soon as it is done."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of :func:`run`."""
    parser.add_argument("--results", type=Path, help="file of finished runs, to go on from")
    parser.add_argument("--workers", type=int, default=os.cpu_count())


def run(
    function: Callable[..., Any], jobs: Mapping[str, tuple[Any, ...]], options: argparse.Namespace
) -> dict[str, Any]:
    """Results of ``function`` by key, which names all that decides a result; what the file holds is not run again.

    Args:
        function: Of a module, with a result that JSON holds.
        jobs: Its arguments by key.
        options: As :func:`add_arguments` reads them.
    """
    results = {key: result for key, result in read(options.results).items() if key in jobs}
    waiting = [(function, key, arguments) for key, arguments in jobs.items() if key not in results]
    if waiting:
        with multiprocessing.Pool(min(options.workers, len(waiting))) as pool:
            for key, result in pool.imap_unordered(_call, waiting):
                results[key] = result
                add(options.results, key, result)
    return results


def read(path: Path | None) -> dict[str, Any]:
    """The results of a file, none where there is no such file."""
    results = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
        with suppress(json.JSONDecodeError):  # what was cut short while it was written is not there
            kept = json.loads(line)
            results[kept["key"]] = kept["result"]
    return results


def add(path: Path | None, key: str, result: object) -> None:
    """Add a result to a file."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "result": result}) + "\n")


def _call(job: tuple[Callable[..., Any], str, tuple[Any, ...]]) -> tuple[str, Any]:
    function, key, arguments = job
    return key, function(*arguments)
