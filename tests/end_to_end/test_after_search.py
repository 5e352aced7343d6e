"""What users do with a finished search: look, export, replay, run it again, change what must not change."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import jsonschema
import optuna
import pytest
from optuna.trial import TrialState
from outside import another_teacher

from automl_kd import reprice
from automl_kd.recipes import load_recipe
from automl_kd.storage import Database
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.schema import schemas


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_status_says_the_same_as_the_search_did(inside, searched):
    found = inside("status", "--study", "cam", "--json", cwd=searched.folder).document
    assert found["state"] == "done"
    for part in ("study", "screened", "trials", "front", "picks", "teacher"):
        assert found[part] == searched.document[part], part
    assert 0.9 < found["teacher"]["validation_accuracy"] <= 1


@pytest.fixture(scope="module")
def winner(command, searched, tmp_path_factory):
    """The knee, exported into a folder of its own."""
    folder = tmp_path_factory.mktemp("export") / "winner"
    arguments = ("--storage", searched.folder / "automl-kd.db", "--pick", "knee", "--out", folder)
    return folder, command("export", *arguments, "--json", cwd=folder.parent).document


def test_export_delivers_the_knee_with_hashes_that_hold(winner, searched):
    folder, document = winner
    (knee,) = [pick for pick in searched.document["picks"] if pick["role"] == "knee"]
    assert document.keys() >= {"path", "test_accuracy", "latency_ms", "files"}
    assert document["trial"] == knee["trial"]
    # The pick's figure is the mean over its seeds; of the delivered seed its manifest tells.
    found = json.loads((Path(knee["path"]) / "manifest.json").read_text())["accuracy"]
    assert (document["test_accuracy"], knee["test_accuracy"]) == (found["this_student"], found["mean"])
    assert document["latency_ms"] == knee["latency_ms"]
    assert {name: sha256(folder / name) for name in document["files"]} == document["files"]
    assert sha256(folder / "student.safetensors") == sha256(Path(knee["path"]) / "student.safetensors")


def test_the_recipe_makes_the_same_student_again_in_another_folder_with_an_empty_cache(command, winner, tmp_path):
    folder, _ = winner
    shutil.copy(folder / "recipe.yaml", tmp_path / "recipe.yaml")
    arguments = ("distill", "recipe.yaml", "--out", "again", "--device", "cpu", "--json")
    document = command(*arguments, cwd=tmp_path, cache=tmp_path / "cache").document
    for name in ("student.safetensors", "recipe.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    assert document["files"]["student.safetensors"] == sha256(tmp_path / "again" / "student.safetensors")


def test_a_project_may_move_its_folder(searched, own_cache, tmp_path):
    from automl_kd.core import UserError
    from automl_kd.workflows.export import export

    moved = tmp_path / "moved"
    # Not in this process: closing a copied file would drop the locks of the connections that it has to that file.
    subprocess.run(["cp", "-r", str(searched.folder), str(moved)], check=True)
    export("cam", out=tmp_path / "winner", storage=str(moved / "automl-kd.db"))
    for weights in moved.glob("automl-kd-files/cam/picks/*/student.safetensors"):
        weights.unlink()
    with pytest.raises(UserError, match=f"are gone from {moved}"):  # and not read where they were made
        export("cam", out=tmp_path / "winner", storage=str(moved / "automl-kd.db"))


def test_export_delivers_a_trial_that_is_no_pick_as_the_search_left_it(searched, own_cache, tmp_path):
    from automl_kd.workflows.export import export
    from automl_kd.workflows.status import status

    storage = str(searched.folder / "automl-kd.db")
    (summary,) = status("cam", storage=storage)
    picked = {pick.trial for pick in summary.picks}
    other = next(each.trial for each in summary.complete if each.trial not in picked)

    document = export("cam", pick=other, out=tmp_path / "other", storage=storage)

    assert (document["trial"], document["origin"]) == (other, "search checkpoint")
    assert load_recipe(tmp_path / "other" / "recipe.yaml").train.epochs == 9
    assert 0.1 < document["test_accuracy"] <= 1


@pytest.mark.parametrize(("pick", "end"), [("best", -1), ("fastest", 0)])
def test_export_finds_the_ends_of_the_front(searched, own_cache, tmp_path, pick, end):
    from automl_kd.workflows.export import export

    document = export("cam", pick=pick, out=tmp_path / pick, storage=str(searched.folder / "automl-kd.db"))
    assert document["trial"] == searched.document["front"][end]["trial"]


def test_export_takes_of_the_trials_for_which_a_rule_holds_a_pick_before_others_then_the_best(
    searched, inside, tmp_path
):
    status = inside("status", "--study", "cam", "--json", cwd=searched.folder).document
    picks = {pick["trial"] for pick in status["picks"]}
    others = [each for each in status["complete"] if each["trial"] not in picks]
    best, limit = max(others, key=lambda each: each["score"])["score"], max(each["latency_ms"] for each in others)
    kept = " and ".join(f"trial != {trial}" for trial in picks)
    by_rule = ("export", "--storage", searched.folder / "automl-kd.db", "--json", "--pick")

    a_pick = inside(*by_rule, "score > 0", "--out", tmp_path / "a", cwd=tmp_path).document
    assert a_pick["trial"] in picks
    scores = {each["trial"]: each["score"] for each in status["complete"]}
    assert scores[a_pick["trial"]] == max(scores[trial] for trial in picks)

    another = inside(*by_rule, f"{kept} and latency_ms <= {limit!r}ms", "--out", tmp_path / "b", cwd=tmp_path).document
    assert (scores[another["trial"]], another["origin"]) == (best, "search checkpoint")
    assert "best accuracy on search-validation of" in another["chosen"] or len(others) == 1


def test_two_trials_are_compared_in_numbers_and_words(inside, searched):
    import automl_kd as ak

    status = inside("status", "--study", "cam", "--json", cwd=searched.folder).document
    first, second = [each["trial"] for each in status["complete"]][:2]
    document = inside("compare", first, second, "--json", cwd=searched.folder).document
    jsonschema.validate(document, schemas()["comparison.json"])
    (pair,) = document["pairs"]
    scores = {each["trial"]: each["score"] for each in status["complete"]}
    assert pair["score"]["difference"] == scores[first] - scores[second]
    assert pair["score"]["low"] < pair["score"]["difference"] < pair["score"]["high"]
    text = inside("compare", first, second, "--study", "cam", cwd=searched.folder)
    assert text.code == 0
    assert text.err == ""
    for sentence in document["sentences"]:
        assert sentence in text.out.splitlines()
    storage = str(searched.folder / "automl-kd.db")
    assert ak.compare(first, second, storage=storage).model_dump(mode="json") == document


def test_the_same_command_again_does_nothing_more_and_says_so(inside, searched):
    before = (searched.folder / "automl-kd-files" / "cam" / "report.html").stat().st_mtime_ns
    again = inside(*searched.arguments, cwd=searched.folder)
    assert again.code == 0
    assert "study cam is finished" in again.err
    assert again.err.count("\n") == 1
    found = inside("status", "--study", "cam", "--json", cwd=searched.folder).document
    for part in ("trials", "front", "picks", "screened"):
        assert found[part] == searched.document[part], part
    assert (searched.folder / "automl-kd-files" / "cam" / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--seed", "9"], "seed"),
        (["--set", "student.width=0.25"], "search space"),
        (["--max-latency", "9ms"], "limits"),
        (["--hw", "raspberry-pi-4"], "device"),
    ],
)
def test_a_study_is_not_resumed_with_another(searched, inside, change, word):
    ended = inside(*searched.arguments, *change, "--json", cwd=searched.folder)
    assert ended.code == 2
    assert json.loads(ended.out)["error"].startswith(f"study cam was begun with another {word}")


def test_a_search_of_a_space_that_is_soon_exhausted_ends_early_and_again_does_nothing_more(inside, exhausted):
    first = exhausted.ended
    again = inside(*exhausted.arguments, cwd=exhausted.folder)
    assert first.document["study"] == "digits-x86-server-two"
    assert first.document["trials"]["complete"] == 2
    assert first.seconds < 300, "ten minutes were not needed"
    assert again.document["trials"] == first.document["trials"]
    assert again.document["picks"] == first.document["picks"]
    assert again.document["seconds"]["picks"] - first.document["seconds"]["picks"] < 1


def test_a_student_that_started_from_weights_is_made_again_where_only_their_hash_is_known(
    command, inside, exhausted, tmp_path
):
    starts = [each["recipe"]["student"].get("start") for each in exhausted.document["front"]]
    start = {"weights": "own.safetensors", "sha256": sha256(exhausted.folder / "own.safetensors")}
    assert start in starts, "the narrower one is the faster one"
    # What is delivered of it may be the arm from scratch, where that is better: its recipe with the start it had.
    recipes = [Path(pick["path"], "recipe.yaml").read_text() for pick in exhausted.document["picks"]]
    (narrow,) = [text for text in recipes if "\n  width: 0.25\n" in text]
    if "start:" not in narrow:
        narrow = narrow.replace("\nstudent:\n", f"\nstudent:\n  start: {json.dumps(start)}\n")
    there, made = tmp_path / "there", tmp_path / "there" / "made"
    there.mkdir()
    shutil.copy(exhausted.folder / "own.safetensors", there)
    (there / "recipe.yaml").write_text(narrow)
    more = ("--device", "cpu", "--hw", "x86-server")
    ended = inside("distill", "recipe.yaml", "--out", "made", *more, cwd=there)
    assert ended.code == 0, ended.err
    assert f"starts from the weights own.safetensors ({start['sha256'][:12]}…)" in (made / "model_card.md").read_text()
    # Elsewhere there is no such file: it starts from the copy that the cache keeps.
    again = command("distill", made / "recipe.yaml", "--out", "again", *more, cwd=tmp_path, cache=exhausted.cache)
    assert "start own.safetensors (names of automl-kd; narrowed to the channels of the largest norm" in again.err
    for name in ("student.safetensors", "recipe.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes(), name


@pytest.fixture
def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_dashboard_answers_on_loopback_with_both_studies_until_it_is_interrupted(command, searched, free_port):
    process = command.start("dashboard", "--port", str(free_port), "--json", cwd=searched.folder)
    try:
        url = json.loads(process.stdout.readline())["url"]
        assert url == f"http://127.0.0.1:{free_port}/"
        assert fetched(url).status == 200
        names = {study["study_name"] for study in json.load(fetched(f"{url}api/studies"))["study_summaries"]}
        assert names == {"cam", "cam-picks"}
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert out == "", "one JSON document and nothing else"
        assert "Traceback" not in err
    finally:
        process.kill()
        process.communicate()


def fetched(url):
    end = time.monotonic() + 30
    while True:
        try:
            return urllib.request.urlopen(url, timeout=10)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_another_device_takes_over_what_was_finished_and_only_prices_it_anew(
    command, cheap, searched, own_cache, tmp_path
):
    folder = tmp_path / "demo"
    shutil.copytree(searched.folder, folder)
    search = ("search", *cheap, "--hw", "raspberry-pi-4", "--budget", "18s", "--study", "pi", "--json")
    refused = command(*search, "--from-study", "cam", *another_teacher(folder), cwd=folder)
    assert refused.code == 2
    assert "--from-study cam: was searched with another teacher" in refused.err
    document = command(*search, "--from-study", "cam", "--stop-when-flat", cwd=folder).document

    storage = Database(str(folder / "automl-kd.db"), create=False).optuna()
    before = optuna.load_study(study_name="cam", storage=storage).get_trials(states=[TrialState.COMPLETE])
    trials = optuna.load_study(study_name="pi", storage=storage).get_trials(states=[TrialState.COMPLETE])
    origins = [(TrialAttributes.of(each).origin, each) for each in trials]
    taken = {origin[1]: each for origin, each in origins if origin is not None}
    assert taken.keys() == {each.number for each in before}
    for source in before:
        assert taken[source.number].params == source.params
        assert taken[source.number].values[0] == source.values[0]
        assert taken[source.number].values[1] != source.values[1]
    anew = {
        each.trial: each for each in reprice("cam", hw="raspberry-pi-4", storage=str(folder / "automl-kd.db")).trials
    }
    assert anew.keys() == taken.keys(), "the same without a study"
    for number, each in taken.items():
        assert anew[number].price == TrialAttributes.of(each).price
    assert max(each["accuracy"] for each in document["front"]) >= max(each.values[0] for each in before)


def test_a_study_to_take_over_from_must_be_there_and_nothing_is_begun_without_it(inside, cheap, searched):
    arguments = ("search", *cheap, "--budget", "9s", "--study", "new", "--from-study", "nope")
    ended = inside(*arguments, cwd=searched.folder)
    assert ended.code == 2
    assert ended.err.splitlines() == ["automl-kd: unknown study in automl-kd.db: 'nope'; known: cam"]
