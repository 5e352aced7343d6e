"""A run whose end is trained in the form of the quantised file: prefix, resumption, what the file gives."""

from __future__ import annotations

import pytest
import torch
from resumed import FINE_TUNING, assert_same_state, state, stop_after, with_train

from automl_kd.compression import applied, begin_training, shipped, write
from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import distill, evaluate, material_of
from automl_kd.onnxio import Session
from automl_kd.students import build, load_weights, save_weights

LOSSES = {"kd": {"weight": 1}, "hint": {"weight": 1, "at": ["stage1", "last"]}}
QAT = [{"stage": "quantise", "how": "qat", "share": 0.4}]  # of 15 steps the last 6
OPTIMIZERS = {"sgd": {"name": "sgd", "lr": 0.05}, "adamw": {"name": "adamw", "lr": 0.003}}


@pytest.fixture
def recipe(make):
    def of(optimizer="adamw", compress=QAT, **changes):
        asked = make(LOSSES, augment=["crop"], optimizer=OPTIMIZERS[optimizer], **changes)
        return asked.with_(compress=compress)

    return of


@pytest.mark.parametrize(
    ("optimizer", "train", "steps"),
    [("sgd", {}, (9, 10)), ("adamw", FINE_TUNING, (12,))],
    ids=["plain", "fine-tuned"],
)
def test_a_run_resumed_around_the_switch_equals_one_that_went_through(
    recipe, few, teacher, tmp_path, optimizer, train, steps
):
    asked = with_train(recipe(optimizer), train)
    through = tmp_path / "through.pt"
    expected = distill(asked, few, teacher, device="cpu", checkpoint=through)
    for number in steps:
        resumed = tmp_path / f"{number}.pt"
        with pytest.raises(Interrupted):
            distill(asked, few, teacher, device="cpu", checkpoint=resumed, should_stop=stop_after(number))
        assert (state(resumed)["quantised"] is None) == (number <= 9)
        found = distill(asked, few, teacher, device="cpu", checkpoint=resumed)
        assert_same_state(through, resumed)
        assert (found.score, found.student.ranges) == (expected.score, expected.student.ranges)


def test_up_to_the_switch_it_is_the_run_of_floats(recipe, few, teacher, tmp_path):
    ours, floats = tmp_path / "qat.pt", tmp_path / "floats.pt"
    early = distill(recipe(), few, teacher, device="cpu", checkpoint=ours, until=1)
    plain = distill(recipe(compress=[{"stage": "quantise"}]), few, teacher, device="cpu", checkpoint=floats, until=1)
    apart = ("identity", "seconds")
    left, right = ({name: each for name, each in state(path).items() if name not in apart} for path in (ours, floats))
    torch.testing.assert_close(left, right, rtol=0, atol=0)
    assert (early.score, early.student.ranges) == (plain.score, {})
    # From there on weights and scales learn, and statistics stay.
    late = distill(recipe(), few, teacher, device="cpu", checkpoint=ours)
    kept = state(ours)["quantised"]
    assert late.student.ranges.keys() == kept["calibrated"].keys()
    assert bool((kept["ratios"] != 0).all())


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_fast_sgd_does_not_lose_in_integers_what_floats_have_learned(digits, make, rate):
    student = {"family": "resnet", "stages": [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 16}]}
    asked = make({"task": {"weight": 1}}, student=student).with_(
        train={"epochs": 6, "optimizer": {"name": "sgd", "lr": rate}}, compress=QAT
    )
    after = asked.with_(compress=[{"stage": "quantise"}])
    scores = [distill(each, digits, None, device="cpu").score for each in (asked, after)]
    assert scores[0] > scores[1] - 0.03
    assert scores[1] > 0.8


def test_frozen_statistics_stay_as_they_were(make, few, tmp_path):
    expected = distill(make(), few, None, device="cpu").student
    save_weights(expected, tmp_path / "start.safetensors")
    start = {"start": {"weights": str(tmp_path / "start.safetensors")}}
    student = make().document()["student"] | start
    frozen = with_train(make(student=student).with_(compress=QAT), {"batch_norm": "frozen"})
    found, expected = distill(frozen, few, None, device="cpu").student.state_dict(), expected.state_dict()
    names = [name for name in expected if name.endswith(("running_mean", "running_var"))]
    assert names
    assert all(torch.equal(found[name], expected[name]) for name in names)


def test_a_file_made_of_stored_weights_is_the_file_that_was_scored(recipe, few, teacher, tmp_path):
    asked = recipe()
    outcome = distill(asked, few, teacher, device="cpu")
    save_weights(outcome.student, tmp_path / "weights.safetensors")
    again = load_weights(build(asked.student, few.signature), tmp_path / "weights.safetensors")
    assert again.ranges == outcome.student.ranges
    material, files = material_of(few, asked.seed), [tmp_path / "first.onnx", tmp_path / "again.onnx"]
    for student, path in zip((outcome.student, again), files, strict=True):
        write(asked.compress, student, material, path, opset=13)
    assert files[0].read_bytes() == files[1].read_bytes()
    form = shipped(asked.compress, again, material)
    assert evaluate(form, few, few.validation, "cpu").score == outcome.score
    without = load_weights(build(asked.student, few.signature), tmp_path / "weights.safetensors")
    without.ranges = {}
    write(asked.compress, without, material, tmp_path / "calibrated.onnx", opset=13)
    assert (tmp_path / "calibrated.onnx").read_bytes() != files[0].read_bytes()
    assert applied(asked.compress, again).ranges == again.ranges


def test_the_trained_form_answers_as_its_file_does(recipe, digits, teacher, tmp_path):
    asked = with_train(recipe(), {"epochs": 2, "augment": []})
    path = tmp_path / "run.pt"
    outcome = distill(asked, digits, teacher, device="cpu", checkpoint=path)
    material = material_of(digits, asked.seed)
    write(asked.compress, outcome.student, material, tmp_path / "student.onnx", opset=13)
    form = begin_training(asked.compress, outcome.student, material, (), state(path)["quantised"])
    inputs = digits.modality.prepare(torch.cat([digits.train.inputs, digits.test.inputs]))
    assert len(inputs) > 1400
    with torch.no_grad():
        ours = form(inputs)[0].argmax(1).numpy()
    written = Session(tmp_path / "student.onnx").run(inputs.numpy()).argmax(1)
    assert (ours == written).mean() >= 0.999
    assert len(set(written)) > 5


def test_losses_that_differentiate_twice_are_trained_through_integers(recipe, few, teacher):
    asked = with_train(recipe(), {"epochs": 1}).with_(distill={"losses": {"gradient_matching": {"weight": 1}}})
    outcome = distill(asked, few, teacher, device="cpu")
    assert outcome.finished
    assert outcome.student.ranges


@pytest.mark.parametrize(
    ("compress", "said"),
    [
        ([{"stage": "quantise", "share": 0.3}], r"share is of a run that is trained with integers.*say how: qat"),
        ([{"stage": "quantise", "to": "int8-weights", "how": "qat"}], "rounds weights alone"),
        ([{"stage": "quantise", "to": "int8-weights", "examples": 64}], "no ranges to find"),
        ([{"stage": "quantise", "to": "int8-weights", "keep_float": ["last"]}], "all weights .*leave keep_float out"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused(make, compress, said):
    with pytest.raises(ValueError, match=said):
        make().with_(compress=compress)


def test_a_share_counts_where_integers_are_trained_and_is_one_step_at_least(recipe, few, teacher):
    either = recipe(compress=[{"stage": "quantise", "how": "ptq", "share": 0.3}])
    assert either.digest() == recipe(compress=[{"stage": "quantise", "how": "ptq"}]).digest()
    least = with_train(recipe(compress=[{"stage": "quantise", "how": "qat", "share": 0.001}]), {"epochs": 1})
    assert distill(least, few, teacher, device="cpu").student.ranges


def test_what_cannot_be_trained_with_integers_is_refused_before_any_training(recipe, few, teacher):
    def asked(**part):
        return recipe(compress=[{"stage": "quantise", "how": "qat", **part}])

    both = recipe(compress=[{"stage": "fp16"}, *QAT])
    for bad, said in [
        (asked(keep_float=["stage9"]), "compress quantise.keep_float"),
        (asked(examples=5000), "a calibration takes 5000 examples"),
        (both, "must be the only stage"),
    ]:
        with pytest.raises(UserError, match=said) as raised:
            distill(bad, few, teacher, device="cpu", should_stop=lambda: pytest.fail("it trains"))
        assert "\n" not in str(raised.value)
