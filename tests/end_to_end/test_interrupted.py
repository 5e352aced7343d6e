"""Searches that are killed or interrupted, and the same command that goes on."""

import os
import re
import signal
from dataclasses import dataclass

import pytest
from outside import rows, until


@dataclass
class Study:
    """What the database holds of a study, read from outside while others write."""

    folder: object

    def rows(self, query, *values):
        return rows(self.folder / "automl-kd.db", query, *values)

    def complete(self):
        """Values of the finished trials, two each."""
        query = (
            "SELECT s.study_name, t.number, v.objective, v.value FROM trials t JOIN trial_values v USING (trial_id)"
            " JOIN studies s USING (study_id) WHERE t.state = 'COMPLETE'"
        )
        return {(name, number, objective): value for name, number, objective, value in self.rows(query)}

    def rungs(self):
        """Scores at rungs by trial and epoch: finished parts of trials."""
        query = (
            "SELECT t.number, r.key, r.value FROM trial_user_attributes a JOIN trials t USING (trial_id),"
            " json_each(a.value_json, '$.scores') r WHERE a.key = 'akd:trial'"
        )
        return {(number, epoch): score for number, epoch, score in self.rows(query)}

    def jobs(self):
        """Results of finished full trainings by key."""
        return dict(self.rows("SELECT key, result FROM akd_jobs"))

    def finished(self):
        """All that must not be lost."""
        return {"trials": self.complete(), "rungs": self.rungs(), "jobs": self.jobs()}


def contains(after, before):
    """Whether nothing that was finished is lost or changed."""
    return all(before[part].items() <= after[part].items() for part in before)


def kill_group(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def killed(command, few, tmp_path_factory):
    """One study, killed with all its processes in every phase, and then left to end."""
    folder, cache = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("killed-cache")
    arguments = ("search", *few, "--study", "killed", "--json")
    study, before = Study(folder), {}
    moments = {
        "teacher": lambda: any((cache / "teachers").glob("training/*.pt")) or spent("teacher") > 1.5,
        "search": lambda: len(study.complete()) >= 4,
        "picks": lambda: len(study.jobs()) >= 1,
    }

    def spent(phase):
        (found,) = study.rows("SELECT json_extract(seconds, '$.' || ?) FROM akd_studies", phase) or [(0,)]
        return found[0] or 0

    for phase, moment in moments.items():
        process = command.start(*arguments, cwd=folder, cache=cache)
        until(moment, process)
        kill_group(process)
        before[phase] = study.finished()
    return study, before, command(*arguments, cwd=folder, cache=cache)


def test_after_kill_9_in_every_phase_the_same_command_comes_to_its_end(killed):
    _, _, ended = killed
    assert ended.document["state"] == "done"
    assert ended.document["picks"]
    assert ended.document["trials"]["running"] == 0


@pytest.mark.parametrize("phase", ["teacher", "search", "picks"])
def test_nothing_finished_is_lost_by_kill_9_in(killed, phase):
    study, before, _ = killed
    assert contains(study.finished(), before[phase])


def test_what_was_killed_had_finished_something_worth_keeping(killed):
    _, before, _ = killed
    assert before["teacher"]["rungs"] == {}
    assert len(before["search"]["trials"]) >= 4
    assert before["search"]["jobs"] == {}
    assert len(before["picks"]["jobs"]) >= 1


def test_time_spent_before_the_kills_counts(killed):
    _, _, ended = killed
    seconds = ended.document["seconds"]
    assert seconds["budget"] == 600
    assert seconds["total"] > ended.seconds + 5, "the last run was only a part"
    assert seconds["total"] < 600, "the space was exhausted before"


@pytest.fixture(scope="module")
def interrupted(command, cheap, digits_teacher, tmp_path_factory):
    """A study in the middle of its search: what a second driver was told, and how two signals ended it."""
    folder = tmp_path_factory.mktemp("interrupted")
    arguments = ("search", *cheap, "--set", "search_epochs=3", "--budget", "10m", "--study", "cut", "--json")
    study, ends = Study(folder), {}
    first = command.start(*arguments, cwd=folder)
    until(lambda: study.rows("SELECT 1 FROM akd_leases"), first)
    second = command(*arguments, cwd=folder)
    until(study.complete, first)
    first.send_signal(signal.SIGTERM)
    ends["SIGTERM"] = (*first.communicate(timeout=60), first.returncode, study.finished())
    again = command.start(*arguments, cwd=folder)
    until(lambda: len(study.complete()) > len(ends["SIGTERM"][3]["trials"]), again)
    os.killpg(again.pid, signal.SIGINT)
    ends["SIGINT"] = (*again.communicate(timeout=60), again.returncode, study.finished())
    return folder, second, first.pid, ends


def test_a_second_driver_of_one_study_is_refused_by_the_number_of_the_first(interrupted):
    _, second, pid, _ = interrupted
    assert second.code == 2
    assert f"study cut in automl-kd.db is being searched by process {pid}" in second.err
    assert second.err.count("\n") == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_search_with_130_one_line_and_a_study_that_goes_on(interrupted, name):
    out, err, code, _ = interrupted[3][name]
    assert code == 130
    assert "nothing finished is lost, the same command goes on" in err
    assert err.count("\n") == 1
    assert out.startswith('{"error": ')


def test_an_interrupted_search_goes_on_with_all_that_it_had_finished(interrupted):
    ends = interrupted[3]
    assert contains(ends["SIGINT"][3], ends["SIGTERM"][3])


def test_a_student_can_be_exported_before_there_are_picks(interrupted, own_cache, tmp_path):
    from automl_kd.workflows.export import export
    from automl_kd.workflows.status import status

    storage = str(interrupted[0] / "automl-kd.db")
    (summary,) = status("cut", storage=storage)
    assert (summary.state, summary.picks) == ("open", ())
    document = export("cut", pick="best", out=tmp_path / "early", storage=storage)
    assert document["origin"] == "search checkpoint"
    assert document["trial"] == summary.front[-1].trial


def test_a_budget_too_short_says_how_much_is_needed_before_anything_is_begun(command, cheap, tmp_path):
    arguments = ("search", *cheap, "--set", "search_epochs=900", "--budget", "20s", "--json")
    ended = command(*arguments, cwd=tmp_path, cache=tmp_path / "cache")
    assert ended.code == 2
    assert "budget 20 s is too short: the teacher needs" in ended.err
    assert "one trial of 900 epochs" in ended.err
    assert re.search(r"give at least \d+ (s|min|h)", ended.err)
    assert ended.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_limit_that_nothing_meets_is_named_with_the_nearest_and_may_be_mended(
    command, cheap, digits_teacher, tmp_path
):
    refused = command("search", *cheap, "--budget", "60s", "--max-latency", "1us", cwd=tmp_path)
    assert refused.code == 2
    assert "--max-latency is 0.001 ms, but the least in the sample is" in refused.err
    corrected = command.start("search", *cheap, "--budget", "60s", "--max-latency", "1s", cwd=tmp_path)
    until(lambda: Study(tmp_path).rows("SELECT 1 FROM trials"), corrected)
    kill_group(corrected)


def test_a_dry_run_prices_a_sample_and_leaves_no_file(command, cheap, digits_teacher, cache, tmp_path):
    before = {path for path in cache.rglob("*") if path.is_file()}
    plan = command("search", *cheap, "--budget", "3m", "--dry-run", "--json", cwd=tmp_path).document
    assert plan["sampled"] >= 64
    assert plan["trials"] > 0
    assert plan["rungs"] == [3, 9]
    assert plan["teacher"] == "kept from before"
    assert list(tmp_path.iterdir()) == []
    assert {path for path in cache.rglob("*") if path.is_file()} == before
