"""Verb ``runner``: takes submitted searches from the queue of a database and drives them, one at a time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field

import psutil

from automl_kd.core import DEFAULT_STORAGE, UserError
from automl_kd.results import Observer, Snapshot
from automl_kd.storage import Database, DatabaseFailedError, SearchClaims, SearchQueue, SubmittedSearch
from automl_kd.studies.clock import StopRequest
from automl_kd.workflows.processes import start_module, told_by_parent

_LOOK_SECONDS = 0.5
_SILENT_SECONDS = 30.0
"""A claim without a heartbeat for so long belongs to a runner that died, or stands still."""
_GONE_SECONDS = 4.0
"""The same where the runner's process is gone from this machine."""
_BLIND_SECONDS = 3.0
"""Time between two looks, such as an outage of the database, after which watching begins anew."""
_STOP_SECONDS = 30.0
_AWAY_SECONDS = 5.0


def run_searches(
    *, storage: str = DEFAULT_STORAGE, cores: int | None = None, until_empty: bool = False, observer: Observer
) -> int:
    """Take searches from the queue of a database and drive them, one at a time, until interrupted.

    Several runners, on any machines that share the database and the files beside it, share the work. A search whose
    runner dies is taken over by another and resumes. Ctrl-C hands the search at hand back.

    Args:
        storage: Database URL or path of an SQLite file.
        cores: Trainings at a time, at most; by default one a core.
        until_empty: Whether to end once no search waits.
        observer: Told what happens.

    Returns:
        How many searches were driven to an end, or as far as they went.

    Raises:
        UserError: If the database cannot be reached.
    """
    if cores is not None and cores < 1:
        raise UserError(f"cores {cores}: must be at least 1")
    stop = StopRequest()
    with stop.listening():
        return Runner(Database(storage), cores or os.cpu_count() or 1, stop, observer).run(until_empty)


@dataclass
class _Watched:
    """When a claim was last seen to change."""

    mark: tuple[str | None, int]
    since: float = field(default_factory=time.monotonic)


class Runner:
    """Drives the searches of a database, one at a time.

    Args:
        database: Where they are.
        cores: Trainings at a time, at most.
        stop: The wish to stop.
        observer: Told what happens.
    """

    def __init__(self, database: Database, cores: int, stop: StopRequest, observer: Observer) -> None:
        self._database = database
        self._queue = SearchQueue(database)
        self._claims = SearchClaims(database)
        self._cores = cores
        self._stop = stop
        self._observer = observer
        self._watched: dict[str, _Watched] = {}
        self._looked = time.monotonic()
        self._me = f"{socket.gethostname()} {os.getpid()}"

    def run(self, until_empty: bool = False) -> int:
        """Take searches until asked to stop, or until none waits. Returns how many were taken."""
        taken = 0
        while not self._stop:
            try:
                self._take_over()
                search = self._claims.take(self._me)
                if search is not None:
                    taken += 1
                    self._observer.note(f"search {search.name} of {search.owner} begins")
                    self._observer.note(f"search {search.name}: {self._drive(search)}")
                elif until_empty:
                    break
                else:
                    self._observer.update(Snapshot("runner", "waiting for a search", 0.0, 0.0))
                    time.sleep(_LOOK_SECONDS)
            except DatabaseFailedError as error:
                self._observer.note(f"{error}; trying again")
                time.sleep(_AWAY_SECONDS)
        return taken

    def _drive(self, search: SubmittedSearch) -> str:
        """Drive a claimed search; returns its state afterwards."""
        assert search.claim is not None
        told = {"storage": self._database.url, "search": search.name, "claim": search.claim, "cores": self._cores}
        log = self._database.files / search.name / "driver.log"
        process = start_module("automl_kd.workflows.search_driver", told, log)
        try:
            while process.poll() is None:
                if self._stop:
                    return self._stop_driver(process, search)
                with contextlib.suppress(DatabaseFailedError):  # the driver waits for it, too
                    self._take_over()
                time.sleep(_LOOK_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._give_back(search, f"its process ended {_how(process.returncode)}", died=True)
        return self._queue.search(search.name).state

    def _stop_driver(self, process: subprocess.Popen[bytes], search: SubmittedSearch) -> str:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._give_back(search, "its runner was stopped", died=False)
        return "handed back"

    def _give_back(self, search: SubmittedSearch, reason: str, *, died: bool) -> None:
        """Give a search back that its driver did not bring to an end; of one that it did, the claim is gone."""
        assert search.claim is not None
        self._claims.hand_back(search.name, search.claim, reason, died=died)

    def _take_over(self) -> None:
        """Put searches of runners that died into the queue again.

        A runner's heartbeat is a counter, and it is watched whether it goes on: no machine's clock is compared with
        another's.
        """
        seen: dict[str, _Watched] = {}
        searches, now = self._claims.running(), time.monotonic()
        if now - self._looked > _BLIND_SECONDS:  # who could not look has not seen anybody keep silent
            self._watched = {}
        self._looked = now
        for search in searches:
            mark = (search.claim, search.beats)
            before = self._watched.get(search.name)
            seen[search.name] = before if before is not None and before.mark == mark else _Watched(mark)
            silent = now - seen[search.name].since
            if search.claim is not None and silent > (_GONE_SECONDS if _is_gone(search.runner) else _SILENT_SECONDS):
                self._claims.hand_back(search.name, search.claim, f"its runner ({search.runner}) died", died=True)
        self._watched = seen


def _is_gone(runner: str | None) -> bool:
    """Whether a runner was a process of this machine that is no more."""
    host, _, pid = (runner or "").rpartition(" ")
    return host == socket.gethostname() and not psutil.pid_exists(int(pid))


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with code {code}"


def main() -> None:
    """Run searches for the parent that says of which database, until it is gone or asks to stop."""
    stop = StopRequest()

    def orphaned() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    told = told_by_parent(orphaned)
    with stop.listening():
        Runner(Database(told["storage"]), told["cores"], stop, Observer()).run()


if __name__ == "__main__":
    main()
