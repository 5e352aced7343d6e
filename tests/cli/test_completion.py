"""What a shell proposes in the middle of a line: names that there are, and never a warning."""

import pytest

from automl_kd.storage import Database, StudyRecord


@pytest.fixture
def proposed(command, tmp_path):
    """Proposals of bash for the last word of a line; nothing else is said."""

    def proposed(line):
        words = {"_AUTOML_KD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        asked = type(command)(command.environment | words)
        ended = asked(cwd=tmp_path)
        assert (ended.code, ended.err) == (0, "")
        return ended.out.split()

    return proposed


def test_verbs_devices_spaces_and_roles(proposed):
    assert {"search", "status", "compare", "export"} <= {*proposed("automl-kd ")}
    assert proposed("automl-kd search --hw raspberry-pi-") == ["raspberry-pi-4", "raspberry-pi-5"]
    assert proposed("automl-kd hw show raspberry-pi-") == ["raspberry-pi-4", "raspberry-pi-5"]
    assert proposed("automl-kd space show tiny_c") == ["tiny_cnn"]
    assert proposed("automl-kd search --space tiny_c") == ["tiny_cnn"]
    assert proposed("automl-kd export --pick k") == ["knee"]


def test_studies_of_the_database_that_the_line_names(proposed, tmp_path):
    for file, names in {"automl-kd.db": ("cam", "camera", "digits"), "other.db": ("street",)}.items():
        for name in names:
            Database(str(tmp_path / file)).save_study(StudyRecord(name, {}, {}, 1.0))
    assert proposed("automl-kd status --study ca") == ["cam", "camera"]
    assert proposed("automl-kd export --storage other.db --study ") == ["street"]


def test_where_there_is_no_database_or_a_damaged_one_nothing_is_proposed(proposed, tmp_path):
    assert proposed("automl-kd report --study ") == []
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "automl-kd.db").write_bytes(b"not a database at all " * 300)
    assert proposed("automl-kd report --study ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_shown(command, tmp_path, shell):
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else it is the shell that the tests run in, if any
    ended = type(command)(command.environment | named)("--show-completion", shell, cwd=tmp_path)
    assert ended.code == 0
    assert "automl-kd" in ended.out
    assert ended.err == ""
