"""A worker process: ``python -m automl_kd.execution.worker FD`` answers jobs on an inherited pipe until it closes."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

from automl_kd.execution.jobs import Alive, Job, Setup

_SIGN_SECONDS = 1.0


def main() -> None:
    """Do jobs until the pipe closes; a driver that dies, by whatever signal, takes its workers along."""
    # Ctrl-C and a closing terminal reach the whole process group: the driver decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    connection: Connection[object, object] = Connection(int(sys.argv[1]))
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    stop = threading.Event()
    setup = connection.recv()
    assert isinstance(setup, Setup)

    def listen() -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            if message is None:
                stop.set()
            else:
                jobs.put(message)  # type: ignore[arg-type]

    threading.Thread(target=listen, daemon=True).start()
    from automl_kd.execution.work import Workshop  # torch takes seconds: only once the listener watches the driver

    signed = time.monotonic()

    def sign() -> None:
        nonlocal signed
        signed = time.monotonic()
        with contextlib.suppress(OSError):  # the driver is gone: the listener ends this process
            connection.send(Alive())

    def stopping() -> bool:
        if time.monotonic() - signed > _SIGN_SECONDS:
            sign()
        return stop.is_set()

    workshop = Workshop(setup, stopping, begun=sign)
    while True:
        answer = workshop.do(jobs.get())
        try:
            connection.send(answer)
        except (BrokenPipeError, OSError):
            return


if __name__ == "__main__":
    main()
