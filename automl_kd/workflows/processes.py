"""Child processes that are told what to do in one document, and that notice when their parent is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl_kd.core import child_environment


def start_module(module: str, document: Mapping[str, Any], log: Path) -> subprocess.Popen[bytes]:
    """Start a module of this package as a process.

    Args:
        module: Its name.
        document: What it is told, over standard input, because a database URL may hold a password; the pipe then stays
            open as long as this process lives.
        log: File that takes its standard error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=child_environment(),
            start_new_session=True,  # Ctrl-C is for the parent, which then asks its children to stop
        )
    assert process.stdin is not None
    process.stdin.write(json.dumps(document).encode() + b"\n")
    process.stdin.flush()
    return process


def told_by_parent(orphaned: Callable[[], None]) -> dict[str, Any]:
    """What this process is told.

    Args:
        orphaned: Called, in a thread, once the parent is gone.
    """
    # The descriptor, not its stream: a thread that waits in a stream when Python ends makes it end by a signal.
    handle = sys.stdin.fileno()
    document: dict[str, Any] = json.loads(_line(handle))
    threading.Thread(target=_wait_for_end, args=(handle, orphaned), daemon=True).start()
    return document


def _line(handle: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (part := os.read(handle, 1)):
        line += part
    return line


def _wait_for_end(handle: int, orphaned: Callable[[], None]) -> None:
    while os.read(handle, 1):
        pass
    orphaned()
