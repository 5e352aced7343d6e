"""Faults of what is around a search: a database server that goes away, a disk that is full, a clock that jumps."""

import errno
import json
import shutil
import subprocess
import time
from dataclasses import replace

import pytest
from outside import complete, rows, until


def ended(process, timeout=240):
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.long
def test_a_search_and_its_worker_outlast_a_database_that_is_away(postgres, command, few, digits_teacher, tmp_path):
    from automl_kd.storage import Database

    storage = ("--study", "away-for-a-while", "--storage", postgres.url)
    search = command.start("search", *few, *storage, "--json", cwd=tmp_path)
    database = Database(postgres.url)
    until(lambda: database.find_study("away-for-a-while") is not None, search)
    worker = command.start("worker", "--workers", "1", *storage, cwd=tmp_path, cache=tmp_path / "cache")

    trials = database.optuna()

    def finished():
        ids = {study.study_name: study._study_id for study in trials.get_all_studies()}
        known = trials.get_all_trials(ids["away-for-a-while"], deepcopy=False) if "away-for-a-while" in ids else []
        return [trial for trial in known if trial.state.name == "COMPLETE"]

    until(lambda: len(finished()) >= 2, search)
    before = {trial.number: trial.values for trial in finished()}
    postgres.control("stop")
    time.sleep(6)
    postgres.control("start")
    document = ended(search)
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    assert "is finished" in out
    assert document["state"] == "done"
    after = {trial.number: trial.values for trial in finished()}
    assert before.items() <= after.items()
    assert document["trials"]["complete"] == len(after)
    assert document["trials"]["failed"] == 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own of 260 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260m", "none", str(disk)], check=False)
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(file):
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"\0" * 65_536):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017


@pytest.mark.long
def test_a_full_disk_ends_the_search_in_one_line_and_with_room_it_goes_on(small_disk, command, few, digits_teacher):
    arguments = ("search", *few, "--study", "cam", "--json")
    search = command.start(*arguments, cwd=small_disk)
    until(lambda: complete(small_disk / "automl-kd.db") >= 2, search)
    fill(small_disk / "ballast")
    _, err = search.communicate(timeout=60)
    assert search.returncode == 2
    assert err.count("\n") == 1
    assert "room" in err or "are left on the disk" in err
    (small_disk / "ballast").unlink()
    before = complete(small_disk / "automl-kd.db")
    assert before >= 2
    document = command(*arguments, cwd=small_disk).document
    assert document["state"] == "done"
    assert document["trials"]["complete"] >= before


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int ended = real(clock, now), file;
    char offset[32] = {0};
    if (ended == 0 && clock == CLOCK_REALTIME && (file = open(getenv("CLOCK_OFFSET"), O_RDONLY)) >= 0) {
        if (read(file, offset, 31) > 0) now->tv_sec += atol(offset);
        close(file);
    }
    return ended;
}
"""


@pytest.fixture
def clock(tmp_path, command):
    """A file of seconds by which the clock of the wall is wrong, and a command that reads that clock."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    offset, library = tmp_path / "offset", tmp_path / "clock.so"
    offset.write_text("0")
    compile_it = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
    subprocess.run(compile_it, input=CLOCK, text=True, check=True)
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    return offset, replace(command, environment=command.environment | environment)


@pytest.mark.long
def test_a_clock_that_jumps_changes_neither_budget_nor_driver(command, clock, few, digits_teacher, tmp_path):
    offset, wrong_command = clock
    arguments = ("search", *few, "--study", "cam", "--json")
    search = wrong_command.start(*arguments, cwd=tmp_path)
    began = time.monotonic()
    until(lambda: complete(tmp_path / "automl-kd.db") >= 1, search)
    offset.write_text("86400")
    until(lambda: _heartbeat(tmp_path) > time.time() + 3600, search)
    until(lambda: complete(tmp_path / "automl-kd.db") >= 3, search)
    offset.write_text("-172800")
    until(lambda: _heartbeat(tmp_path) < time.time() - 3600, search)
    second = command(*arguments, cwd=tmp_path)
    assert second.code == 2
    assert f"is being searched by process {search.pid}" in second.err
    document = ended(search)
    assert document["state"] == "done"
    assert document["seconds"]["total"] == pytest.approx(time.monotonic() - began, abs=20)


def _heartbeat(folder):
    return sum(beat for (beat,) in rows(folder / "automl-kd.db", "SELECT heartbeat FROM akd_leases"))
