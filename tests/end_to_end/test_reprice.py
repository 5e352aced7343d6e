"""Finished trials at another device's prices; the study stays as it is."""

import hashlib

import jsonschema
import pytest

from automl_kd import UserError, reprice
from automl_kd.studies.schema import schemas


@pytest.fixture
def anew(compressed, own_cache):
    def anew(hw, **more):
        return reprice("cam", hw=hw, storage=str(compressed.folder / "automl-kd.db"), **more)

    return anew


def dominated(row, rows):
    """Whether another row is as good in everything and better in something: of score, size and latency."""

    def cost(each):
        return (-each.score, each.price.size_bytes, each.price.latency_ms)

    return any(
        all(a <= b for a, b in zip(cost(each), cost(row), strict=True)) and cost(each) != cost(row) for each in rows
    )


def test_the_front_there_is_of_the_study_s_objectives_at_the_prices_there(anew, compressed):
    found = anew("raspberry-pi-4")
    assert [each.name for each in found.objectives] == ["accuracy", "size_bytes", "latency_ms"]
    assert found.latency_error.basis == "networks"
    assert len(found.trials) == 4
    assert {each.trial for each in found.trials if not dominated(each, found.trials)} == set(found.front)
    before = {each["trial"]: each for each in compressed.document["front"]}
    assert set(found.entered) == set(found.front) - set(before)
    assert set(found.left) == set(before) - set(found.front)
    for each in found.trials:
        assert each.on_front_before == (each.trial in before)
        assert each.price.size_bytes == each.before.size_bytes
        assert each.price.latency_ms != each.before.latency_ms
    by_latency = sorted(found.trials, key=lambda each: each.before.latency_ms)
    assert [each.place_before for each in by_latency] == sorted(each.place_before for each in by_latency)


def test_at_its_own_device_s_prices_nothing_changes(anew):
    found = anew("x86-server")
    assert (found.entered, found.left, found.unfit) == ((), (), ())
    assert all(each.price == each.before and each.place == each.place_before for each in found.trials)


def test_what_the_device_or_a_limit_leaves_out_is_told_why(anew):
    found = anew("coral-edgetpu")
    assert found.trials == ()
    assert {each.reason for each in found.unfit} >= {"compress: ships floats, and coral-edgetpu runs integers alone"}
    assert set(found.left) == {each.trial for each in found.unfit if each.on_front_before}
    dearest = anew("raspberry-pi-4").trials[-1]
    found = anew("raspberry-pi-4", max_latency=dearest.price.latency_ms * 0.999)
    assert dearest.trial in {each.trial for each in found.unfit}
    assert all("ms is over the limit of" in each.reason for each in found.unfit)


def test_the_verb_changes_nothing_and_its_json_is_as_its_schema_says(inside, compressed):
    def hashes():
        return hashlib.sha256((compressed.folder / "automl-kd.db").read_bytes()).hexdigest()

    before = hashes()
    document = inside("reprice", "--hw", "jetson-nano", "--json", cwd=compressed.folder).document
    jsonschema.validate(document, schemas()["repriced.json"])
    ended = inside("reprice", "--hw", "jetson-nano", "--study", "cam", cwd=compressed.folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("study cam of x86-server at the prices of jetson-nano: ")
    for row in document["trials"]:
        assert f"{row['place_before']} → {row['place']}" in ended.out
    assert hashes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hw", "jetson-nana"), "unknown device 'jetson-nana'"),
        (("--hw", "jetson-nano", "--study", "can"), "unknown study in automl-kd.db: 'can'"),
        (("--hw", "jetson-nano", "--max-latency", "soon"), "soon"),
        (
            ("--hw", "raspberry-pi-4", "--objective", "energy"),
            "objective energy: raspberry-pi-4: its energy is latency",
        ),
    ],
)
def test_what_cannot_be_priced_is_refused_in_a_line(inside, compressed, arguments, told):
    ended = inside("reprice", *arguments, cwd=compressed.folder)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert told in ended.err


def test_a_study_without_a_finished_trial_has_nothing_to_price(inside, tmp_path):
    from automl_kd.storage import Database, StudyRecord

    settings = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0, "limits": {}}
    Database(str(tmp_path / "automl-kd.db")).save_study(StudyRecord("cam", {}, settings, 60.0))
    with pytest.raises(UserError, match="study cam has no finished trial yet"):
        reprice("cam", hw="raspberry-pi-4", storage=str(tmp_path / "automl-kd.db"))
