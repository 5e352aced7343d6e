"""What another thread wants of a search while it runs: trials ended, more time, a stop."""

import threading
from contextlib import suppress
from itertools import pairwise

import optuna
import pytest
from optuna.trial import TrialState
from outside import until

from automl_kd import trial_detail
from automl_kd.core import Interrupted
from automl_kd.results import Observer
from automl_kd.storage import Database
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.state import StudyProgress
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.wishes import Wishes
from automl_kd.workflows.search import run_search


class Running(Observer):
    """A search in a thread of its own, its snapshots kept; what it ends with can be asked once it has ended."""

    def __init__(self, request, wish=lambda snapshot, wishes: None):
        self.wishes, self.snapshots, self.notes, self.ended = Wishes(), [], [], None
        self._wish = wish
        self._thread = threading.Thread(target=self._run, args=(request,), daemon=True)
        self._thread.start()

    def update(self, snapshot):
        self.snapshots.append(snapshot)
        self._wish(snapshot, self.wishes)

    def note(self, text):
        self.notes.append(text)

    def end(self):
        self._thread.join(240)
        assert not self._thread.is_alive(), "it did not come to its end"
        return self.ended

    def _run(self, request):
        try:
            self.ended = run_search(request, self, self.wishes)
        except Exception as error:
            self.ended = error


class Seen:
    """What the database of a folder holds of a study."""

    def __init__(self, folder, name):
        self.database = Database(str(folder / "automl-kd.db"))
        self.files = StudyFiles(self.database.files / name)
        self._name = name

    @property
    def record(self):
        return self.database.study(self._name)

    def trials(self):
        with suppress(KeyError):
            study = optuna.load_study(study_name=self._name, storage=self.database.optuna())
            return {each.number: (each.state, TrialAttributes.of(each)) for each in study.get_trials(deepcopy=False)}
        return {}

    def kept(self, state):
        """Trials of a state that were proposed and priced, with what they keep."""
        return {number: kept for number, (is_in, kept) in self.trials().items() if is_in == state and kept.price}


@pytest.fixture
def ask(few, own_cache, digits_teacher, tmp_path):
    """A request of the small search in a folder of the test's own."""
    pins = tuple(word for flag, word in pairwise(few) if flag == "--set")

    def ask(*more, **options):
        return SearchRequest(
            hw="jetson-nano",
            task="digits",
            device="cpu",
            storage=str(tmp_path / "automl-kd.db"),
            workers=1,
            pins=(*pins, *more),
            **options,
        )

    return ask


@pytest.mark.parametrize("executor", ["process", pytest.param("inline", marks=pytest.mark.long)])
def test_trials_end_while_they_wait_and_while_they_are_trained_and_the_study_stops_when_asked(ask, tmp_path, executor):
    request = ask("search_epochs=90000", study="long", budget="20h", fidelity="none", executor=executor)
    running, seen = Running(request), Seen(tmp_path, "long")
    until(lambda: seen.kept(TrialState.RUNNING).keys() >= {0, 1}, seconds=60)  # trained, and next in line
    first, second = (trial_detail("long", number, storage=request.storage) for number in (0, 1))
    assert (first.told, first.training_until) == ("is being trained to 90000 epochs", 90000)
    assert second.told == "waits before its first rung"
    running.wishes.end(999, 1, 0)
    until(lambda: seen.kept(TrialState.PRUNED).keys() >= {0, 1}, seconds=60)
    until(lambda: seen.kept(TrialState.RUNNING).keys() >= {2, 3}, seconds=60)
    running.wishes.stop()
    assert isinstance(running.end(), Interrupted)
    ended = seen.kept(TrialState.PRUNED)
    assert ended.keys() == {0, 1}
    assert {(each.ending, each.reason) for each in ended.values()} == {("stopped", "ended by its owner")}
    assert trial_detail("long", 0, storage=request.storage).told == "stopped before its first rung: ended by its owner"
    assert trial_detail("long", 2, storage=request.storage).state == "waiting", "nobody drives the study any more"
    assert not any(each.scores for each in ended.values()), "it was stopped midway"
    assert not seen.files.checkpoint(0).exists()

    again = Running(request, lambda snapshot, wishes: snapshot.counts.get("running") and wishes.stop())
    assert isinstance(again.end(), Interrupted)
    assert seen.kept(TrialState.PRUNED) == ended
    recipes = [each.recipe for each in seen.kept(TrialState.RUNNING).values()]
    assert not any(each.recipe in recipes for each in ended.values()), "it is not proposed again"
    assert seen.record.state == "open"


@pytest.mark.long
def test_an_ended_trial_keeps_its_rung_and_more_time_counts_in_the_search_and_begins_another_round_in_the_picks(
    ask, tmp_path
):
    seen = Seen(tmp_path, "more")

    def wish(snapshot, wishes):
        if snapshot.phase == "picks" and seen.database.jobs("more"):
            wishes.extend_to(1800)
        elif snapshot.phase == "search" and not wishes.ended:
            wishes.end(*[n for n, kept in seen.kept(TrialState.RUNNING).items() if kept.scores][:1])
            if wishes.ended:
                wishes.extend_to(1200)

    running = Running(ask("search_epochs=9", study="more", budget="10m"), wish)
    assert "stopped for more time" in str(running.end())
    (number,) = running.wishes.ended
    ended = seen.kept(TrialState.PRUNED)[number]
    assert ended.reason == "ended by its owner"
    assert ended.scores.keys() == {3}
    assert "the budget is 20 min 00 s from now on" in running.notes
    plans = [each.split["search"] for each in running.snapshots if each.phase == "search"]
    assert plans[-1] > plans[0] + 300
    record, progress = seen.record, StudyProgress.of(seen.record)
    assert (record.budget, record.state, progress.round, progress.searched) == (1200, "open", 1, 1)
    jobs = seen.database.jobs("more")
    assert jobs

    result = Running(ask("search_epochs=9", study="more", budget="30m")).end()
    assert result.picks[0].round == 2
    assert seen.database.jobs("more").items() >= jobs.items()
    assert seen.record.state == "done"
    assert seen.kept(TrialState.PRUNED)[number] == ended


def test_more_time_counts_while_the_teacher_is_trained(ask, tmp_path, monkeypatch):
    request = ask(study="taught", budget="10m")
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))  # no teacher is kept there

    def wish(snapshot, wishes):
        if snapshot.phase == "teacher" and snapshot.done:
            wishes.extend_to(1200)
            if snapshot.budget == 1200:
                wishes.stop()

    running = Running(request, wish)
    assert isinstance(running.end(), Interrupted)
    assert running.snapshots[-1].phase == "teacher", "its training was stopped"
    assert Seen(tmp_path, "taught").record.budget == 1200
