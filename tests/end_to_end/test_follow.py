"""A search that one process runs is watched by others, in a terminal and as documents; Ctrl-C ends watching alone."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from outside import rows, until

from automl_kd.storage import Database, StudyRecord

HELD = (
    "import sys\nfrom automl_kd.storage import Database\n"
    "with Database('automl-kd.db').lease(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def in_a_terminal(command):
    """Runs the command in a terminal of 100 x 40 characters; answers how it ended and what it drew.

    Once a text is drawn, something is done to the process.
    """

    def in_a_terminal(*arguments, cwd, once_drawn, then):
        screen, theirs = pty.openpty()
        environment = command.environment | {"COLUMNS": "100", "LINES": "40", "TERM": "xterm", "LANG": "C.UTF-8"}
        process = subprocess.Popen(
            [*command.words, *arguments], cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        command.started.append(process)
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(screen, 65536):
                drawn += chunk
                if once_drawn and once_drawn in drawn.decode(errors="replace"):
                    then(process)
                    once_drawn = None
        except OSError:  # the other end is closed
            pass
        os.close(screen)
        return process.wait(timeout=60), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode(errors="replace"))

    return in_a_terminal


@pytest.mark.long
def test_a_search_is_followed_to_its_end_by_several(command, few, digits_teacher, in_a_terminal, tmp_path):
    two = ("--set", "distill.losses.kd.temperature=2.0")
    search = command.start("search", *few, *two, "--study", "cam", "--json", cwd=tmp_path)
    until(lambda: rows(tmp_path / "automl-kd.db", "SELECT name FROM akd_studies"), search)
    os.kill(search.pid, signal.SIGSTOP)  # until both see it, however slow the machine is
    follower = command.start("status", "--study", "cam", "--follow", "--json", cwd=tmp_path)
    first = follower.stdout.readline()
    code, drawn = in_a_terminal(
        "status",
        "--follow",
        cwd=tmp_path,
        once_drawn=f"study cam, searched by process {search.pid} on ",
        then=lambda _: os.kill(search.pid, signal.SIGCONT),
    )
    out, err = follower.communicate(timeout=120)
    found = json.loads(search.communicate(timeout=60)[0])

    assert (follower.returncode, err) == (0, "")
    documents = [json.loads(line) for line in [first, *out.splitlines()]]
    assert documents[0]["state"] == "open"
    finished = [each["trials"]["complete"] for each in documents]
    assert finished == sorted(finished)
    for part in ("state", "trials", "front", "picks"):
        assert documents[-1][part] == found[part]

    assert code == 0
    assert "picks, distilled in full" in drawn, "at the end it says what status says"
    assert "Traceback" not in drawn


@pytest.fixture
def held(command, tmp_path):
    """A study that a living process searches, which does nothing but hold it."""
    settings = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0}
    Database(str(tmp_path / "automl-kd.db")).save_study(StudyRecord("cam", {}, settings, 60.0))
    words = [sys.executable, "-c", HELD, "cam"]
    process = subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate("", timeout=60)


def test_ctrl_c_ends_watching_and_nothing_else(held, in_a_terminal, tmp_path):
    code, drawn = in_a_terminal(
        "status",
        "--follow",
        cwd=tmp_path,
        once_drawn="searched by process",
        then=lambda process: process.send_signal(signal.SIGINT),
    )
    assert code == 0
    assert "study cam: task digits" in drawn
    assert "Traceback" not in drawn
    assert held.poll() is None


def test_a_study_that_nobody_searches_is_told_at_once(command, held, tmp_path):
    held.communicate("", timeout=60)
    ended = command("status", "--follow", cwd=tmp_path)
    assert ended.code == 0
    assert ended.err == "nobody searches cam now; its automl-kd search command goes on with it\n"
    assert ended.out.startswith("study cam: task digits")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_cannot_be_followed_is_told_in_one_line(command, tmp_path, more):
    absent = command("status", "--follow", *more, cwd=tmp_path)
    database = Database(str(tmp_path / "automl-kd.db"))
    for name in ("one", "two"):
        database.save_study(StudyRecord(name, {}, {}, 1.0))
    several = command("status", "--follow", *more, cwd=tmp_path)
    unknown = command("status", "--follow", "--study", "tow", *more, cwd=tmp_path)
    assert (absent.code, several.code, unknown.code) == (2, 2, 2)
    assert "automl-kd.db does not exist" in absent.err
    assert several.err.endswith("holds 2 studies; name one with --study: one, two\n")
    assert "did you mean two?" in unknown.err
    assert all(ended.err.count("\n") == 1 for ended in (absent, several, unknown))
