"""A worker process: ``python -m automl_kd.execution.worker FD`` answers jobs on an inherited pipe until it closes."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from automl_kd.execution.job_log import bound, written_to
from automl_kd.execution.jobs import Alive, Answer, Cancel, Job, Setup

_ALIVE_SECONDS = 1.0
"""Between two messages that the job is alive."""


def main() -> None:
    """Do jobs until the pipe closes: a driver that dies, by whatever signal, ends its workers."""
    faulthandler.enable()  # a worker that crashes says where
    # Ctrl-C and a closing terminal reach the whole process group, but the driver decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    connection: Connection[Answer | Alive, Setup | Job | Cancel | None] = Connection(int(sys.argv[1]))
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    stop, cancelled = threading.Event(), threading.Event()
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
            elif isinstance(message, Cancel):
                cancelled.set()
            else:
                assert not isinstance(message, Setup)
                cancelled.clear()  # it was of the job before, which has answered
                jobs.put(message)

    threading.Thread(target=listen, daemon=True).start()
    # It imports torch for seconds, so only now that listen() watches the driver.
    from automl_kd.execution.job_runner import JobRunner

    alive_at = time.monotonic()
    log: Path | None = None

    def say_alive() -> None:
        nonlocal alive_at
        alive_at = time.monotonic()
        bound(log)
        with contextlib.suppress(OSError):  # the driver is gone, and listen() ends this process
            connection.send(Alive())

    def stopping() -> bool:
        if time.monotonic() - alive_at > _ALIVE_SECONDS:
            say_alive()
        return stop.is_set() or cancelled.is_set()

    runner = JobRunner(setup, stopping, begun=say_alive)
    while True:
        job = jobs.get()
        log = job.log
        with written_to(log):
            answer = runner.do(job)
        try:
            connection.send(answer)
        except (BrokenPipeError, OSError):
            return


if __name__ == "__main__":
    main()
