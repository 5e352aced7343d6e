"""How verbs answer: one JSON document, or lines for people."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from automl_kd.cli.options import option
from automl_kd.cli.voice import VOICE
from automl_kd.core import finite

_NUMBER = re.compile(r"(×/÷|[-+])?\d|–?$")
_NARROWEST = 12
"""Characters that a wrapped column has at least."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
AllowCode = Annotated[bool, option("allow_code")]
TrialTimeout = Annotated[str | None, option("trial_timeout")]
TrialMemory = Annotated[str | None, option("trial_memory")]
Storage = Annotated[str, option("storage")]


def answer(document: Any, text: str, as_json: bool) -> None:
    """Print what a verb found.

    Args:
        document: Plain data for ``--json``; numbers that are not finite become null.
        text: The same for people.
        as_json: Which of the two.
    """
    print(json.dumps(finite(document), ensure_ascii=False, allow_nan=False) if as_json else text, flush=True)


def fail(message: str, as_json: bool) -> None:
    """Print an error: a line on standard error and, for ``--json``, a document on standard output."""
    line = " ".join(message.split())
    if as_json:
        try:
            print(json.dumps({"error": line}, ensure_ascii=False), flush=True)
        except OSError:  # nobody reads, or there is no room; Python would tell of it again as it flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(f"automl-kd: {line}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet(as_json: bool) -> Iterator[None]:
    """Keeps libraries off the screen: their warnings, their logs, and what C++ writes past Python.

    Under ``--json`` what they print goes to standard error. Under ``--verbose`` all of it is shown there.
    """
    with contextlib.ExitStack() as muted:
        if VOICE.level == "verbose":
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        else:
            muted.enter_context(_native_silence())
            muted.enter_context(warnings.catch_warnings())
            muted.enter_context(_muted_logs())
            warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def _muted_logs() -> Iterator[None]:
    """No logger says less than an error."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _native_silence() -> Iterator[None]:
    """Leads file descriptor 2, to which C++ libraries write, nowhere; Python's own standard error stays the screen."""
    try:
        shown = os.dup(2)
    except OSError:  # closed: nobody sees what is written there
        yield
        return
    with open(os.devnull, "wb") as nowhere, os.fdopen(shown, "w", buffering=1, errors="backslashreplace") as screen:
        python, ours = sys.stderr, _is_standard_error(sys.stderr)
        if ours:
            python.flush()
            sys.stderr = screen
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            screen.flush()
            os.dup2(shown, 2)
            sys.stderr = python


def _is_standard_error(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (AttributeError, OSError, ValueError):  # replaced by something that is no file, or closed
        return False


def table(rows: list[list[str]], header: list[str], width: int | None = None) -> str:
    """Aligned columns: words to the left, numbers to the right.

    Args:
        rows: Cells; one may hold several lines.
        header: Of every column.
        width: Characters that a line may have; the last column is wrapped to that.
    """
    if not rows:
        return ""
    lines = [[cell.splitlines() or [""] for cell in row] for row in (header, *rows)]
    *columns, last = zip(*lines, strict=True)
    widths = [max(len(line) for cell in column for line in cell) for column in columns]
    if width is not None:
        room = max(_NARROWEST, width - sum(widths) - 2 * len(widths))
        last = tuple([part for line in cell for part in textwrap.wrap(line, room) or [""]] for cell in last)
    columns = [*columns, last]
    widths.append(max(len(line) for cell in last for line in cell))
    numeric = [all(_NUMBER.match(line) for cell in column[1:] for line in cell) for column in columns]

    def aligned(row: Sequence[list[str]]) -> str:
        whole = itertools.zip_longest(*row, fillvalue="")
        return "\n".join(
            "  ".join(
                line.rjust(width) if right else line.ljust(width)
                for line, width, right in zip(each, widths, numeric, strict=True)
            ).rstrip()
            for each in whole
        )

    return "\n".join(map(aligned, zip(*columns, strict=True)))
