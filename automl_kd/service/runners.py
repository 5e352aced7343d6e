"""The runner processes of a service: started, watched, and started again where one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import Any

from automl_kd.service.context import own_folder
from automl_kd.storage import Database
from automl_kd.workflows.processes import start_module

_LOOK_SECONDS = 1.0
_STOP_SECONDS = 40.0


class RunnerPool:
    """Keeps a number of runners alive.

    Args:
        database: Whose queue they work on.
        count: How many.
        cores: Trainings at a time of all together; None for one a core of this machine.
    """

    def __init__(self, database: Database, count: int, cores: int | None) -> None:
        self._database = database
        whole = cores or os.cpu_count() or 1
        self._cores = [max(1, whole // count + (index < whole % count)) for index in range(count)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> RunnerPool:
        self._processes = [self._start(cores) for cores in self._cores]
        self._watching.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._watching.join()
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for index, process in enumerate(self._processes):
                if process.poll() is not None and not self._over.is_set():
                    self._processes[index] = self._start(self._cores[index])

    def _start(self, cores: int) -> subprocess.Popen[bytes]:
        log = own_folder(self._database) / "runners.log"
        return start_module("automl_kd.workflows.runner", {"storage": self._database.url, "cores": cores}, log)
