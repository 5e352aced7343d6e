"""A delivery's folder: whole or not at all, and never over somebody else's files."""

import json
import os
import signal
import subprocess
import sys

import pytest

from automl_kd.core import UserError
from automl_kd.delivery.folder import replacing


def fill(folder, **files):
    with replacing(folder) as new:
        for name, text in files.items():
            (new / name).write_text(text)
        (new / "manifest.json").write_text(json.dumps({"files": dict.fromkeys(files, "")}))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_with_its_parents(tmp_path):
    fill(tmp_path / "a/b", report="1")
    assert names(tmp_path / "a/b") == ["manifest.json", "report"]
    assert names(tmp_path / "a") == ["b"]


def test_an_earlier_delivery_is_replaced_whole(tmp_path):
    fill(tmp_path / "out", report="1", old="1")
    fill(tmp_path / "out", report="2")
    assert names(tmp_path / "out") == ["manifest.json", "report"]
    assert (tmp_path / "out/report").read_text() == "2"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", report="1")
    assert names(tmp_path) == ["out"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    fill(tmp_path / "link", report="1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/report").read_text() == "1"


@pytest.mark.parametrize("foreign", ["notes.txt", ".hidden"])
def test_foreign_files_are_never_touched(tmp_path, foreign):
    fill(tmp_path / "out", report="1")
    (tmp_path / "out" / foreign).write_text("mine")
    with pytest.raises(UserError, match=f"holds '{foreign}'"):
        fill(tmp_path / "out", report="2")
    assert (tmp_path / "out/report").read_text() == "1"
    assert (tmp_path / "out" / foreign).read_text() == "mine"


def test_a_folder_without_manifest_is_foreign(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(UserError, match=r"holds 'report\.html'"):
        fill(tmp_path, report="1")


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"other": {}}'])
def test_a_manifest_that_is_none_vouches_for_nothing(tmp_path, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"holds 'manifest\.json'"):
        fill(tmp_path / "out", report="1")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        fill(tmp_path / "out", report="1")


def test_the_current_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="current folder"):
        fill(tmp_path, report="1")


def test_a_parent_that_is_a_file_is_the_users_mistake(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="cannot be written"):
        fill(tmp_path / "out/deeper", report="1")


def test_an_error_leaves_what_was_there(tmp_path):
    fill(tmp_path / "out", report="1")
    with pytest.raises(TypeError, match="data must be str"):
        fill(tmp_path / "out", report="half", notes=3)
    assert (tmp_path / "out/report").read_text() == "1"
    assert names(tmp_path) == ["out"]


def test_a_killed_process_leaves_what_was_there_and_is_no_obstacle(tmp_path):
    fill(tmp_path / "out", report="1")
    code = (
        "import sys, time; from pathlib import Path; from automl_kd.delivery.folder import replacing\n"
        "with replacing(Path(sys.argv[1])) as new:\n"
        "    (new / 'report').write_text('half'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    assert (tmp_path / "out/report").read_text() == "1"
    assert len(names(tmp_path)) == 2, "the half-written folder lies hidden beside it"
    fill(tmp_path / "out", report="2")
    assert (tmp_path / "out/report").read_text() == "2"
