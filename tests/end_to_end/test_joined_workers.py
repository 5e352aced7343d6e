"""A search whose trainings are done by workers that join over its database, and come and go."""

import os
import signal
from collections import Counter
from dataclasses import dataclass, field

import pytest
from outside import another_teacher, rows, until

pytestmark = pytest.mark.long
"""``tests/execution/test_database_executor.py`` has the sample: jobs, workers that die, and files that travel."""

ENDED = "study cam is finished"


@dataclass
class Story:
    """What processes said as they ended."""

    folder: object
    ends: dict = field(default_factory=dict)

    def end(self, name, process, timeout=120):
        out, err = process.communicate(timeout=timeout)
        self.ends[name] = (process.returncode, out, err)

    def rows(self, query):
        return rows(self.folder / "automl-kd.db", query)

    def busy(self):
        """Jobs under way by the process that does them."""
        return Counter(pid for (pid,) in self.rows("SELECT pid FROM akd_workers WHERE posted > answered"))


@pytest.fixture(scope="module")
def story(command, few, digits_teacher, tmp_path_factory):
    """A driver without workers of its own, and four machines, each with a cache of its own."""
    folder = tmp_path_factory.mktemp("joined")
    story = Story(folder)
    search = ("search", *few, "--study", "cam", "--workers", "0", "--json")

    def join(name, *more, workers=1):
        arguments = ("worker", "--study", "cam", "--workers", str(workers), *more)
        return command.start(*arguments, cwd=folder, cache=folder / name)

    driver = command.start(*search, cwd=folder)
    until(lambda: story.rows("SELECT 1 FROM akd_leases"), driver)
    story.end("other teacher", join("other", *another_teacher(folder)))
    first, second = join("first"), join("second")
    until(lambda: {first.pid, second.pid} <= set(story.busy()), driver, first, second)
    os.killpg(first.pid, signal.SIGKILL)
    story.end("killed worker", first)
    until(lambda: first.pid not in story.busy(), driver, second)

    driver.kill()
    story.end("killed driver", driver)
    driver = command.start(*search, cwd=folder)
    until(lambda: second.pid in story.busy(), driver, second)
    third = join("third", workers=2)
    until(lambda: story.busy()[third.pid] == 2, driver, second, third)
    second.send_signal(signal.SIGTERM)
    story.end("worker told to leave", second)
    story.end("driver", driver, timeout=240)
    story.end("last worker", third)
    return story


def test_the_study_ends_with_its_picks_though_worker_and_driver_were_killed(story):
    code, out, err = story.ends["driver"]
    assert code == 0, err
    assert '"state": "done"' in out
    states = Counter(state for (state,) in story.rows("SELECT state FROM trials"))
    assert states["COMPLETE"] > 0
    assert "RUNNING" not in states
    assert len(list((story.folder / "automl-kd-files" / "cam" / "picks").iterdir())) > 0


def test_no_trial_is_told_twice_and_nothing_stays_in_the_mailboxes(story):
    told = story.rows("SELECT count(*) FROM trial_values GROUP BY trial_id")
    assert set(told) == {(2,)}
    assert [story.rows(f"SELECT count(*) FROM {table}") for table in ("akd_workers", "akd_files", "akd_offers")] == [
        [(0,)]
    ] * 3
    assert not list((story.folder / "automl-kd-files" / "cam" / "checkpoints").glob("*.pt"))


def test_a_worker_with_another_teacher_is_refused_by_its_hash(story, digits_teacher):
    code, _, err = story.ends["other teacher"]
    assert code == 2
    assert "refused: the teacher here has hash" in err
    assert f"that of study cam {digits_teacher[:12]}" in err


def test_a_worker_told_to_leave_hands_its_job_back(story):
    code, _, err = story.ends["worker told to leave"]
    assert code == 130
    assert "left study cam" in err
    assert "what was under way is handed back" in err


def test_the_last_worker_ends_with_the_study(story):
    code, out, err = story.ends["last worker"]
    assert code == 0, err
    assert out.startswith(ENDED)
    assert "joined study cam with 2 workers" in err


def test_data_and_teacher_travelled_by_their_hashes(story):
    archives = [{path.name for path in (story.folder / name / "parcels").iterdir()} for name in ("second", "third")]
    assert archives[0] == archives[1] != set()


def test_a_worker_for_a_finished_study_has_nothing_to_do(story, command):
    ended = command("worker", "--study", "cam", "--json", cwd=story.folder)
    assert ended.document == {"study": "cam", "jobs": 0}


def test_a_study_that_does_not_exist_is_told_with_the_nearest(story, command):
    ended = command("worker", "--study", "can", cwd=story.folder)
    assert ended.code == 2
    assert "unknown study in automl-kd.db: 'can'; did you mean cam?" in ended.err
