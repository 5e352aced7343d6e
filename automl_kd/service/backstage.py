"""Helper processes for what takes torch, memory or seconds, so that the service itself stays light and answers."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, child_environment
from automl_kd.service.problems import ProblemError

_LOOK_SECONDS = 1.0
_CALLS = 200
"""Calls after which a helper is replaced, so that what libraries keep cannot grow for ever."""


class Backstage:
    """A number of helper processes that do one call each at a time.

    Args:
        size: How many.
        log: File that takes their standard error.
        waiting: Calls that may wait for a helper.
    """

    def __init__(self, size: int, log: Path, waiting: int = 100) -> None:
        self._log = log
        self._free: asyncio.Queue[_Helper] = asyncio.Queue()
        self._all: set[_Helper] = set()
        self._left = waiting
        for _ in range(size):
            self._add()

    async def call(self, function: Callable[..., Any], *arguments: Any, seconds: float = 60.0) -> Any:
        """What a function of a module gives for arguments, all of which travel to the helper.

        Raises:
            UserError: As the function does.
            ProblemError: If it takes longer, or its helper died; with status 503 where too many wait.
        """
        if self._left <= 0:
            raise ProblemError(503, "too many requests wait for an answer; try again in a moment", {"Retry-After": "5"})
        self._left -= 1
        try:
            helper = await self._free.get()
        finally:
            self._left += 1
        try:
            worked, answer = await asyncio.to_thread(helper.call, function, arguments, seconds)
        except BaseException:
            self._replace(helper)
            raise
        if helper.calls >= _CALLS:
            self._replace(helper)
        else:
            self._free.put_nowait(helper)
        if not worked:
            raise answer
        return answer

    def close(self) -> None:
        """End all helpers."""
        for helper in self._all:
            helper.kill()

    def _add(self) -> None:
        helper = _Helper(self._log)
        self._all.add(helper)
        self._free.put_nowait(helper)

    def _replace(self, helper: _Helper) -> None:
        helper.kill()
        self._all.discard(helper)
        self._add()


class _Helper:
    """The service's end of a helper process."""

    def __init__(self, log: Path) -> None:
        self.calls = 0
        self._connection, theirs = multiprocessing.Pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "automl_kd.service.backstage", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=child_environment(OMP_NUM_THREADS="1"),
                start_new_session=True,
            )
        theirs.close()

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> tuple[bool, Any]:
        """Whether a function worked, and what it gave or raised.

        Raises:
            ProblemError: If it takes longer, or the process died.
        """
        self.calls += 1
        try:
            self._connection.send((function, arguments))
            if not self._answers(seconds):
                raise ProblemError(504, f"this took longer than {seconds:.0f} s and was given up")
            answer: tuple[bool, Any] = self._connection.recv()
        except (OSError, EOFError):
            raise ProblemError(503, "the process that worked on this died; try again") from None
        return answer

    def _answers(self, seconds: float) -> bool:
        """Whether the process answers within a time.

        It is looked at now and then, for whoever kills it closes the connection, which does not wake who waits on it.

        Raises:
            EOFError: If the process died.
        """
        end = time.monotonic() + seconds
        while not self._connection.poll(max(0.0, min(_LOOK_SECONDS, end - time.monotonic()))):
            if self._process.poll() is not None:
                raise EOFError
            if time.monotonic() >= end:
                return False
        return True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._connection.close()


def main(handle: int) -> None:
    """Do calls until the service is gone."""
    import logging
    import traceback
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    connection: Connection[Any, Any] = Connection(handle)
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = True, function(*arguments)
        except UserError as error:
            answer = False, error
        except Exception:
            traceback.print_exc()
            answer = False, ProblemError(500, "a fault of automl-kd; its log says more")
        connection.send(answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
