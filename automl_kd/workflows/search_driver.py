"""The process that drives one submitted search; a runner starts it and outlives it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from typing import Any

from automl_kd.core import Interrupted, UserError
from automl_kd.results import Snapshot
from automl_kd.storage import Database, DatabaseFailedError, EventLog, SearchClaims, StudyBusyError, SubmittedSearch
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.wishes import Wishes
from automl_kd.workflows.processes import told_by_parent
from automl_kd.workflows.search import run_search
from automl_kd.workflows.search_events import EventObserver

_BEAT_SECONDS = 1.0
_BUSY_SECONDS = 2.0
_LOST = 3
"""Exit code of a driver whose search another has claimed."""


class Driver:
    """Drives a search that a runner has claimed.

    Args:
        database: Where search and study are.
        search: The search.
        claim: The runner's.
        cores: Trainings at a time, at most.
    """

    def __init__(self, database: Database, search: str, claim: str, cores: int) -> None:
        self._database = database
        self._queue = SearchClaims(database)
        self._name = search
        self._claim = claim
        self._cores = cores
        self._wishes = Wishes()
        self._over = threading.Event()
        self._observer = EventObserver(EventLog(database), search, claim, _exit_at_once)
        self._cancelled = False
        self._told = 0

    def run(self) -> None:
        """Run the search to its end, and store how it ended."""
        found = self._beat()
        threading.Thread(target=self._keep_beating, daemon=True).start()
        try:
            self._wait_for_study()
            run_search(self._request(found), self._observer, self._wishes)
        except Interrupted:
            self._interrupted()
        except DatabaseFailedError as error:  # not the search's fault: another try waits in the queue
            self._queue.hand_back(self._name, self._claim, _one_line(str(error)), died=True)
        except UserError as error:
            self._queue.finish(self._name, self._claim, "failed", _one_line(str(error)))
        except Exception as error:
            traceback.print_exc()
            told = _one_line(f"{type(error).__name__}: {error}")
            self._queue.finish(self._name, self._claim, "failed", f"a fault of automl-kd, not of the search: {told}")
        else:
            record = self._database.study(self._name)
            # One that got more time while its picks were trained is not done: its next round waits in the queue.
            self._queue.finish(self._name, self._claim, "done", budget=record.budget if record.state == "done" else 0.0)
        finally:
            self._over.set()

    def _request(self, found: SubmittedSearch) -> SearchRequest:
        asked = dict(found.request)
        workers = asked.pop("workers", None)
        asked |= {"study": self._name, "budget": found.budget, "storage": self._database.url}
        return SearchRequest(**asked, workers=self._cores if workers is None else min(workers, self._cores))

    def _interrupted(self) -> None:
        if self._cancelled:
            self._queue.finish(self._name, self._claim, "cancelled")
        else:  # its picks were trained as it got more time, which is another round; or its runner is to stop
            budget = self._database.study(self._name).budget
            more = self._wishes.budget is not None and self._wishes.budget > budget
            reason = "it goes on with more time" if more else "its runner was stopped"
            self._queue.hand_back(self._name, self._claim, reason, died=False)

    def _wait_for_study(self) -> None:
        """Wait until nobody else searches the study: a driver that stood still may go on, until it sees the claim."""
        while True:
            try:
                self._database.refuse_if_driven(self._name)
            except StudyBusyError as error:
                self._observer.update(Snapshot("prepare", f"waiting: {error}", 0.0, 0.0))
                time.sleep(_BUSY_SECONDS)
                if self._wishes.stopping:
                    raise Interrupted("stopped") from None
            else:
                return

    def _keep_beating(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            try:
                self._heed(self._beat())
            except DatabaseFailedError:  # as long as the main thread finds it there again, this one does
                traceback.print_exc()

    def _heed(self, found: SubmittedSearch) -> None:
        """Take over what is asked of the search now."""
        if self._observer.finished > self._told:
            self._told = self._observer.finished
            self._queue.progressed(self._name, self._claim)
        self._wishes.extend_to(found.budget)
        self._wishes.end(*found.ended)
        if found.cancelled and not self._cancelled:
            self._cancelled = True
            self._wishes.stop()

    def _beat(self) -> SubmittedSearch:
        found = self._queue.beat(self._name, self._claim)
        if found is None:
            if self._over.is_set():  # the end was stored while the beat was on its way
                sys.exit(0)
            _exit_at_once()
        assert found is not None
        return found


def main() -> None:
    """Drive the search that the parent names."""
    told = told_by_parent(_exit_at_once)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    Driver(Database(told["storage"]), told["search"], told["claim"], told["cores"]).run()


def _exit_at_once(*_: Any) -> None:
    """End this process: its runner is gone, or another drives the search. Nothing that is finished is lost."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(_LOST)


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
