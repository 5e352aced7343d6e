"""The log of a trial: what its jobs said of themselves, and what their workers wrote on standard error meanwhile.

Everything goes straight to the file, so that what a job wrote outlives its worker. Jobs of one trial share a file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MOST_BYTES = 200_000
_STANDARD_ERROR = 2


def tell(log: Path | None, text: str) -> None:
    """Add lines to a log, the first with the time; a disk that is full must not end a job for them."""
    if log is None:
        return
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    _append(log, f"{moment} {text.rstrip()}\n".encode(errors="replace"))


def bytes_of(log: Path | None) -> bytes | None:
    """What a log holds, None where there is none."""
    try:
        return None if log is None else log.read_bytes()
    except OSError:
        return None


def add_bytes(log: Path | None, content: bytes | None) -> None:
    """Add what another machine's log of a job holds."""
    if log is not None and content:
        _append(log, content)


@contextmanager
def written_to(log: Path | None) -> Iterator[None]:
    """Let all that this process writes on standard error, compiled code included, go to a log."""
    file = None if log is None else _opened(log)
    if file is None:
        yield
        return
    before = os.dup(_STANDARD_ERROR)
    sys.stderr.flush()
    os.dup2(file, _STANDARD_ERROR)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, _STANDARD_ERROR)
        os.close(before)
        os.close(file)


def bound(log: Path | None) -> None:
    """Cut the older half of a log that has grown too long."""
    with suppress(OSError):
        if log is None or log.stat().st_size <= _MOST_BYTES:
            return
        with log.open("r+b") as file:
            file.seek(-_MOST_BYTES // 2, os.SEEK_END)
            file.readline()  # the rest of a line
            kept = file.read()
            file.seek(0)
            file.write(b"(older lines were cut)\n" + kept)
            file.truncate()


def _append(log: Path, content: bytes) -> None:
    file = _opened(log)
    if file is not None:
        with suppress(OSError):
            os.write(file, content)
        os.close(file)
        bound(log)


def _opened(log: Path) -> int | None:
    """A handle whose writes go to the end, whoever else writes there; None where the file cannot be written."""
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    return None
