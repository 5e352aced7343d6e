"""The picks of a study on its device: a kit of them, its script, and what was measured beside the predictions."""

import json
import os
import re
import shlex
import socket
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from automl_kd.core import sha256_of
from automl_kd.storage import Database
from automl_kd.storage.tables import LeaseRow
from automl_kd.workflows.verification import picks_kit

STUDY = "digits-x86-server-two"
VERIFY = ("hw", "verify", "--from", "picks/results.jsonl")


def copied(folder, to):
    # Not in this process: closing a copied file would drop the locks of the connections that it has to that file.
    subprocess.run(["cp", "-r", f"{folder}/.", str(to)], check=True)


@pytest.fixture(scope="module")
def measured(exhausted, run_script, quieten, tmp_path_factory):
    """A project with a finished study, and a kit of its picks that was really measured on this machine."""
    folder = tmp_path_factory.mktemp("picks")
    copied(exhausted.folder, folder)
    made = picks_kit(STUDY, out=folder / "picks", storage=str(folder / "automl-kd.db"))
    run_script(folder / "picks")
    quieten(folder / "picks")
    return folder, made


@pytest.fixture
def project(run, measured, tmp_path):
    """A copy of it, the current folder."""
    folder = tmp_path / "here"
    copied(measured[0], folder)
    return folder


def settings():
    return dict(Database(create=False).study(STUDY).settings)


def changed(path, change):
    document = json.loads(path.read_text())
    path.write_text(json.dumps(change(document)))


def test_a_kit_of_a_study_holds_its_picks_as_delivered_and_names_the_next_command(measured, exhausted):
    folder, made = measured
    assert (made["study"], made["hw"], made["space"]) == (STUDY, "x86-server", "two.yaml")
    assert json.loads((folder / "picks" / "kit.json").read_text())["study"] == STUDY
    models = [model for model in made["models"] if not model["sentinel"]]
    assert len(made["models"]) == len(models) + 2
    picks = {pick["trial"]: pick for pick in exhausted.document["picks"]}
    assert [model["origin"]["trial"] for model in models] == list(picks)
    for model in models:
        pick = picks[model["origin"]["trial"]]
        assert model["sha256"] == sha256_of(Path(pick["path"]) / "student.onnx")
        assert model["input"] == [1, 8, 8]
        assert model["predicted_ms"] == pytest.approx(pick["latency_ms"], rel=0.1)
    readme = (folder / "picks" / "README.txt").read_text()
    assert "automl-kd hw verify --from picks/results.jsonl" in readme
    assert "calibrate" not in readme


def test_verify_stores_what_was_measured_and_shows_it_beside_the_prediction(run, project, exhausted):
    before = settings()
    said = run(*VERIFY)
    found = run(*VERIFY, "--json").document
    lines = [json.loads(line) for line in (project / "picks" / "results.jsonl").read_text().splitlines()]
    times = {line["model"]: line["p10"] for line in lines[1:-1]}
    assert (found["study"], found["hw"]) == (STUDY, "x86-server")
    assert [pick["trial"] for pick in found["picks"]] == [pick["trial"] for pick in exhausted.document["picks"]]
    for pick in found["picks"]:
        assert pick["measured_ms"] == pytest.approx(times[f"trial-{pick['trial']}"])
        assert pick["measured_inside"] == (pick["latency_low"] <= pick["measured_ms"] <= pick["latency_high"])
        inside = "yes" if pick["measured_inside"] else "no"
        assert re.search(
            rf"^ *{pick['trial']}  {pick['role']} .*  {pick['measured_ms']:.3g}  {inside}$", said.out, re.M
        )
    expected = {str(pick["trial"]): pick["measured_ms"] for pick in found["picks"]}
    progress = before.pop("progress") | {"measured": expected}
    assert settings() == before | {"progress": progress}
    shown = run("status", "--study", STUDY, "--json").document
    assert [pick["measured_ms"] for pick in shown["picks"]] == list(expected.values())
    report = project / "automl-kd-files" / STUDY / "report.html"
    assert Path(found["report"]) == report
    assert report.read_text().count("measured: ") == len(expected)


def test_a_pick_whose_file_is_gone_is_told_with_the_command_that_brings_it_back(run, mistake, project):
    (trial, *_) = [pick["trial"] for pick in run("status", "--study", STUDY, "--json").document["picks"]]
    gone = project / "automl-kd-files" / STUDY / "picks" / f"trial-{trial}" / "student.onnx"
    gone.unlink()
    message = mistake("hw", "kit", "--study", STUDY, "--out", "again")
    assert message == mistake(*VERIFY)
    command = re.fullmatch(rf"{re.escape(str(gone))} is gone; automl-kd (export .*) delivers it again", message)[1]
    assert run(*shlex.split(command)).code == 0
    assert run("hw", "kit", "--study", STUDY, "--out", "again").code == 0
    assert run(*VERIFY).code == 0, "the same bytes again"


def test_what_does_not_belong_to_the_study_as_it_stands_changes_nothing(mistake, project):
    before = settings()
    results, kit = project / "picks" / "results.jsonl", project / "picks" / "kit.json"
    whole, listed = results.read_text(), kit.read_text()

    results.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    assert "ends before its last round does" in mistake(*VERIFY)
    results.write_text(whole)

    changed(kit, lambda document: document | {"study": None})
    assert "is a kit of space two.yaml, not of a study's picks; automl-kd hw calibrate --from" in mistake(*VERIFY)
    changed(kit, lambda document: document | {"study": "another"})
    assert "unknown study in automl-kd.db: 'another'" in mistake(*VERIFY)
    kit.write_text(listed)

    for path in project.glob("automl-kd-files/*/picks/*/student.onnx"):
        path.write_bytes(path.read_bytes() + b"\0")
    assert f"is no pick of study {STUDY} as it stands; make a kit of its picks with" in mistake(*VERIFY)
    assert settings() == before


def test_a_study_that_is_being_searched_is_left_to_its_driver(mistake, project):
    before = settings()
    holder = os.getppid()
    with Session(create_engine(Database(create=False).url)) as session, session.begin():
        now = time.time()
        session.add(LeaseRow(study=STUDY, owner="search", host=socket.gethostname(), pid=holder, heartbeat=now))
    assert f"is being searched by process {holder}" in mistake(*VERIFY)
    assert settings() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hw", "kit"), "the kit needs a device: name one with --hw, or with --study the study"),
        (("hw", "kit", "--study", STUDY, "--hw", "local"), "--hw does not go with --study"),
        (("hw", "kit", "--study", STUDY, "-n", "5"), "--count does not go with --study"),
        (("hw", "kit", "--study", STUDY, "--input-shape", "1,8,8"), "--input-shape does not go with --study"),
        (("hw", "kit", "--study", "digits"), "unknown study in automl-kd.db: 'digits'; known: digits-x86-server-two"),
        (("hw", "kit", "--study", STUDY, "--out", "picks"), "picks exists and is not empty"),
        (("hw", "verify", "--from", "absent.jsonl"), "absent.jsonl: no such file"),
        ((*VERIFY, "--kit", "automl-kd-files"), "is not a kit"),
        ((*VERIFY, "--storage", "absent.db"), "absent.db does not exist"),
    ],
)
def test_mistakes_are_one_line(mistake, project, arguments, said):
    assert said in mistake(*arguments)
