"""How much is told is said alike to every verb, and changes nothing of the answer."""

import json

import pytest

from automl_kd.storage import Database, StudyRecord


@pytest.fixture
def begun(tmp_path):
    """A folder with a study that nobody searches."""
    settings = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0}
    Database(str(tmp_path / "automl-kd.db")).save_study(StudyRecord("cam", {}, settings, 60.0))
    return tmp_path


@pytest.mark.parametrize("quiet", ["-q", "--quiet"])
def test_quiet_leaves_the_answer_alone(command, begun, quiet):
    usual = command("status", "--follow", cwd=begun)
    said = command("status", "--follow", quiet, cwd=begun)
    assert (said.code, said.out, said.err) == (0, usual.out, "")
    assert "nobody searches cam now" in usual.err


@pytest.mark.parametrize("verbose", ["-v", "--verbose"])
def test_verbose_tells_where_time_goes_and_the_answer_is_the_same(command, begun, verbose):
    usual = command("status", "--study", "cam", "--json", cwd=begun)
    said = command("status", "--study", "cam", "--json", verbose, cwd=begun)
    assert (said.code, said.out) == (0, usual.out)
    assert json.loads(said.out)["study"] == "cam"
    assert ": loading " in said.err.splitlines()[-1]
    assert usual.err == ""


def test_a_mistake_is_one_line_also_where_little_or_much_is_told(command, tmp_path):
    for more in ("-q", "-v"):
        ended = command("hw", "show", "jetson-nono", more, cwd=tmp_path)
        assert ended.code == 2
        assert ended.err.startswith("automl-kd: unknown device 'jetson-nono'; did you mean")
        assert ended.err.count("\n") == 1


def test_both_at_once_are_refused(mistake):
    assert mistake("status", "-q", "-v") == "--quiet and --verbose: choose one"
