"""Teachers that show features and answer nothing."""

import json

import pytest
import torch
from teacher_cases import SHAPE, STUDENT, small_task, telling_task, trained_module

from automl_kd.core import UserError
from automl_kd.distillation import distill, evaluate_teacher, wire
from automl_kd.recipes import Recipe
from automl_kd.students import build
from automl_kd.tasks import parse_teacher
from automl_kd.teachers import (
    CheckpointTeacher,
    MultiTeacher,
    TargetCache,
    decide_targets,
    load_teacher,
    mean_of,
    measure_cost,
    module_teacher,
    read_teacher,
)

TRAIN = {"epochs": 2, "batch_size": 20, "optimizer": {"name": "sgd", "lr": 0.02}}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights of a network of five other classes."""
    torch.manual_seed(0)
    module = build(STUDENT, input_shape=SHAPE, classes=5)
    module(torch.randn(16, *SHAPE))
    path = tmp_path_factory.mktemp("weights") / "five.pt"
    torch.save(module.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoder(file):
    return load_teacher(CheckpointTeacher(checkpoint=str(file), student=STUDENT, use="features"), small_task())


def _recipe(losses, **distill):
    return Recipe.model_validate(
        {"student": STUDENT.model_dump(), "train": TRAIN, "distill": {"losses": losses, **distill}}
    )


def test_its_maps_are_those_of_the_file_and_its_outputs_are_none(encoder, file):
    module = build(STUDENT, input_shape=SHAPE, classes=5)
    module.load_state_dict(torch.load(file, weights_only=True))
    whole = module_teacher(module, small_task().signature.with_width(5))
    images = torch.randn(4, *SHAPE)
    shown, expected = encoder.outputs(images, ("stage2",)), whole.outputs(images, ("stage2",))
    assert encoder.headless
    assert shown.logits.shape == (4, 0)
    assert torch.equal(shown.maps["stage2"], expected.maps["stage2"])
    assert encoder.head() is None


def test_the_hash_is_the_network_s_and_not_that_of_a_head_that_says_nothing(encoder, file):
    spec = CheckpointTeacher(checkpoint=str(file), student=STUDENT, use="features")
    torch.manual_seed(7)
    assert load_teacher(spec, small_task()).sha256 == encoder.sha256


def test_it_is_read_and_not_rated(encoder):
    (reading,) = read_teacher(encoder, telling_task())
    assert reading.rows[1].startswith("answers nothing; 3 stages show maps: stage1 4 x 8 x 8, ")
    assert json.dumps(reading.document())


@pytest.mark.parametrize("loss", ["kd", "dist", "srrl", "gradient_matching"])
def test_losses_that_read_answers_are_refused_in_one_line(encoder, loss):
    with pytest.raises(UserError) as caught:
        wire(_recipe({loss: {"weight": 1.0}}), small_task(), encoder)
    message = str(caught.value)
    assert message.startswith(
        f"distill.losses.{loss} reads what the teacher answers, and this one shows features alone"
    )
    assert "fine_tune: {}" in message
    assert "\n" not in message


def test_so_is_a_curriculum(encoder):
    recipe = _recipe({"hint": {"weight": 1.0}}, curriculum={"start": 0.5, "until": 0.5})
    with pytest.raises(UserError, match=r"distill\.curriculum reads what the teacher answers"):
        wire(recipe, small_task(), encoder)


@pytest.mark.parametrize("targets", ["live", "cache-fp32", "cache-fp16"])
def test_feature_and_relation_losses_learn_from_it(encoder, tmp_path, targets):
    recipe = _recipe({"hint": {"weight": 1.0}, "rkd_distance": {"weight": 1.0}}, targets=targets)
    outcome = distill(recipe, small_task(), encoder, device="cpu", cache=tmp_path)
    assert outcome.finished
    assert outcome.losses.keys() == {"task", "hint", "rkd_distance"}


def test_means_that_are_kept_are_those_of_kept_maps_to_the_bit_and_smaller(encoder, tmp_path):
    task, index = small_task(), torch.arange(60)
    views = task.modality.views(60, (), 0)

    def kept(kind, stage, folder):
        cache = TargetCache(encoder, task, views, (0,), (stage,), kind, tmp_path / folder)
        return cache.rows(index, 0, (stage,)).maps["stage1"]

    for kind in ("cache-fp32", "cache-fp16"):
        whole = kept(kind, "stage1", f"whole {kind}")
        means = kept(kind, mean_of("stage1"), f"means {kind}")
        assert means.shape == (60, 4, 1, 1)
        assert torch.equal(whole.mean(dim=(2, 3)), means.mean(dim=(2, 3)))
    sizes = {
        folder: sum(path.stat().st_size for path in (tmp_path / folder).rglob("*.npy"))
        for folder in ("whole cache-fp32", "means cache-fp32")
    }
    assert sizes["means cache-fp32"] < sizes["whole cache-fp32"] / 20


def test_only_what_embeddings_read_is_kept_as_means(encoder):
    wiring = wire(_recipe({"hint": {"weight": 1.0}, "pkt": {"weight": 1.0}}), small_task(), encoder)
    assert wiring.kept_outputs == ("stage3",)
    assert wire(_recipe({"pkt": {"weight": 1.0}}), small_task(), encoder).kept_outputs == (mean_of("stage3"),)


def test_its_cost_is_measured_without_outputs(encoder, tmp_path):
    names = ("stage1", mean_of("stage1"))
    cost = measure_cost(encoder, small_task(), names, tmp_path)
    assert (cost.logits.bytes, cost.logits.read_seconds) == (0, 0.0)
    assert [cost.maps[name].bytes for name in names] == [4 * 4 * 64, 4 * 4]
    recipe = _recipe({"pkt": {"weight": 1.0}})
    assert decide_targets(recipe, cost, runs=10, examples=60, stages=names[1:], limit_bytes=10**9) in (
        "live",
        "cache-fp32",
    )


def test_beside_a_teacher_that_answers_it_shows_maps(encoder):
    task = telling_task()
    speaker = module_teacher(trained_module(), task.signature)
    both = MultiTeacher([speaker, encoder])
    images = torch.randn(4, *SHAPE)
    outputs = both.outputs(images, ("2:stage3",))
    assert both.members == 1
    assert torch.equal(outputs.logits, speaker.outputs(images).logits)
    assert torch.equal(outputs.maps["2:stage3"], encoder.outputs(images, ("stage3",)).maps["stage3"])
    assert evaluate_teacher(both, task, task.test).score == evaluate_teacher(speaker, task, task.test).score


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{onnx: t.onnx, use: features}", "use: features needs a network that is a checkpoint, or a folder of timm or"),
        ("{onnx: t.onnx, fine_tune: {}}", "fine_tune needs a network that is a checkpoint, or a folder of timm or"),
        ("{onnx: t.onnx, use: features, fine_tune: {}}", "leave one of them out"),
        ("{onnx: t.onnx, use: features, classes: [a, b]}", "classes is about outputs, which are not read with use"),
    ],
)
def test_what_cannot_be_is_one_line(text, message):
    from automl_kd.distillation import expect_teacher

    with pytest.raises(UserError, match=message) as caught:
        expect_teacher(small_task(), text)
    assert "\n" not in str(caught.value)


def test_other_classes_name_both_remedies(file):
    with pytest.raises(UserError) as caught:
        load_teacher(parse_teacher(f"{file}@{{family: resnet, depth: 8, width: 0.25}}"), small_task())
    assert "needs (3, 16) (where it knows other classes, or none, say fine_tune: {} to train it" in str(caught.value)
    assert "use: features" in str(caught.value)
