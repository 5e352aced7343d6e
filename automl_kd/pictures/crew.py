"""Several processes that look at pictures, or this one alone where there are few."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Self

from automl_kd.core import UserError, child_environment
from automl_kd.pictures.work import perform

_FEW = 512  # pictures that are done before other processes have started
_SHARE = 4  # requests of each process at least


def answers(requests: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[Any]]]:
    """The answers to requests for :func:`perform`, each with its number, in the order in which they are ready.

    Raises:
        OSError: If a disk that is written to is full.
        UserError: If a process died.
    """
    count = _processes(requests)
    if count == 1:
        yield from ((number, perform(request)) for number, request in enumerate(requests))
        return
    with ExitStack() as stack:
        members = [stack.enter_context(_Member()) for _ in range(count)]
        yield from _shared(requests, members, stack.enter_context(selectors.DefaultSelector()))


def _processes(requests: Sequence[dict[str, Any]]) -> int:
    if sum(len(request["files"]) for request in requests) < _FEW:
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), len(requests) // _SHARE))


def _shared(
    requests: Sequence[dict[str, Any]], members: Sequence[_Member], selector: selectors.BaseSelector
) -> Iterator[tuple[int, list[Any]]]:
    waiting = iter(enumerate(requests))
    for member, (number, request) in zip(members, waiting, strict=False):
        selector.register(member.output, selectors.EVENT_READ, member)
        member.ask(number, request)
    while selector.get_map():
        for key, _ in selector.select():
            member = key.data
            yield member.number, member.answer()
            following = next(waiting, None)
            if following is None:
                selector.unregister(member.output)
            else:
                member.ask(*following)


class _Member:
    """This process's end of another that looks at pictures; it has one request at a time.

    It is started with ``subprocess`` rather than ``multiprocessing``, because a user's script then needs no ``if
    __name__ == "__main__"``.
    """

    number = -1

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "automl_kd.pictures.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=child_environment(OMP_NUM_THREADS="1"),
            start_new_session=True,  # Ctrl-C is for this process, whose end ends the others
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, number: int, request: dict[str, Any]) -> None:
        """Give it a request."""
        self.number = number
        with suppress(BrokenPipeError):  # it died, as its answer will say
            self._input.write(json.dumps(request) + "\n")
            self._input.flush()

    def answer(self) -> list[Any]:
        """The answer to its request, which is waited for."""
        line = self.output.readline()
        if not line:
            raise UserError(
                f"a process that decodes pictures ended with exit code {self._process.wait()}, perhaps for want of"
                " memory; the same command goes on where it was"
            )
        found: dict[str, Any] = json.loads(line)
        if "failed" in found:
            raise OSError(*found["failed"])
        return list(found["done"])
