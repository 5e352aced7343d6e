from __future__ import annotations

import dataclasses

import pytest
import torch

from automl_kd.core import Input, Signature, UserError
from automl_kd.distillation import wire
from automl_kd.onnxio import export
from automl_kd.students import build
from automl_kd.tasks import Multiclass
from automl_kd.teachers import OnnxTeacher, load_teacher, module_teacher

SHAPE = (1, 8, 8)


def pairs(wiring, name):
    return [(pair.student, pair.teacher) for term in wiring.terms if term.name == name for pair in term.pairs]


def test_stages_are_paired_from_the_last_backwards(make, digits, teacher):
    recipe = make({"hint": {"weight": 1, "at": ["stage1", "last"]}, "rkd_distance": {"weight": 1}})
    wiring = wire(recipe, digits, teacher)
    assert pairs(wiring, "hint") == [("stage1", "stage2"), ("stage2", "stage3")]
    assert pairs(wiring, "rkd_distance") == [("stage2", "stage3")]
    assert wiring.student_stages == ("stage1", "stage2")
    shapes = [(pair.student_shape, pair.teacher_shape) for pair in wiring.terms[1].pairs]
    assert shapes == [((8, 8, 8), (32, 4, 4)), ((12, 4, 4), (64, 2, 2))]


def test_a_regressor_stands_where_channels_differ_and_only_there(make, digits, teacher):
    stages = [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 64}]
    recipe = make(
        {"hint": {"weight": 1, "at": ["stage1", "last"]}, "attention_transfer": {"weight": 1}},
        student={"family": "resnet", "stages": stages},
    )
    adapters = wire(recipe, digits, teacher).adapters()
    assert list(adapters) == ["hint_stage1"]
    assert adapters["hint_stage1"](torch.zeros(2, 8, 8, 8)).shape == (2, 32, 8, 8)


def test_weights_follow_the_hand_over(make, digits, teacher):
    recipe = make(
        {"hint": {"weight": 2}, "kd": {"weight": 4}},
        handover={"source": "hint", "target": "kd", "start": 0.0, "end": 0.5},
    )
    terms = {term.name: term for term in wire(recipe, digits, teacher).terms}
    at = {name: [term.weight(progress) for progress in (0, 0.25, 0.5, 1)] for name, term in terms.items()}
    assert at == {"task": [1, 1, 1, 1], "hint": [2, 1, 0, 0], "kd": [0, 2, 4, 4]}


def test_wiring_computes_on_no_student_and_draws_no_random_number(make, digits, teacher):
    before = torch.get_rng_state()
    wire(make({"hint": {"weight": 1}}), digits, teacher)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (
            {"hint": {"weight": 1, "at": ["stage7"]}},
            r"distill\.losses\.hint\.at.*'stage7': use stage1, stage2, first, middle, last or all",
        ),
        (
            {"attention_transfer": {"weight": 1, "at": ["head"]}},
            r"distill\.losses\.attention_transfer\.at.*'head': use",
        ),
        ({"hint": {"weight": 1, "at": ["last", "stage2"]}}, r"distill\.losses\.hint\.at.*stage2 twice"),
    ],
)
def test_a_wrong_stage_is_named_with_those_that_exist(make, digits, teacher, losses, message):
    with pytest.raises(UserError, match=message):
        wire(make(losses), digits, teacher)


def test_first_and_middle_are_stages_that_have_a_partner(make, digits, teacher):
    deep = {"family": "resnet", "stages": [{"depth": 1, "channels": 4, "stride": 1}] * 4}
    losses = {"hint": {"weight": 1, "at": ["first"]}, "similarity_preserving": {"weight": 1, "at": ["middle", "last"]}}
    wiring = wire(make(losses, student=deep), digits, teacher)
    assert pairs(wiring, "hint") == [("stage2", "stage1")], "the teacher has three stages"
    assert pairs(wiring, "similarity_preserving") == [("stage3", "stage2"), ("stage4", "stage3")]


def test_a_stage_without_partner_is_an_error(make, digits, teacher):
    deep = {"family": "resnet", "stages": [{"depth": 1, "channels": 4, "stride": 1}] * 4}
    with pytest.raises(UserError, match=r"hint\.at: stage1 has no partner.* 3 stages.*use stage2, stage3, stage4"):
        wire(make({"hint": {"weight": 1, "at": ["stage1"]}}, student=deep), digits, teacher)


def test_a_recipe_with_a_loss_of_logits_needs_a_teacher(make, digits):
    with pytest.raises(UserError, match=r"distill\.losses\.kd needs a teacher"):
        wire(make({"kd": {"weight": 1}}), digits, None)
    assert [term.name for term in wire(make(), digits, None).terms] == ["task"]


def test_class_counts_and_inputs_must_agree(make, digits):
    module = build({"family": "resnet", "depth": 8}, input_shape=SHAPE, classes=7).eval()
    other = module_teacher(module, Signature.of_images(SHAPE, 7))
    with pytest.raises(UserError, match="the teacher has 7 outputs and task digits has 10: they should be equal"):
        wire(make({"kd": {"weight": 1}}), digits, other)
    larger = dataclasses.replace(
        digits,
        modality=dataclasses.replace(digits.modality, shape=(1, 9, 9)),
        problem=Multiclass(digits.problem.names[:7]),
    )
    with pytest.raises(
        UserError,
        match=r"takes \(1, 8, 8\) of float32 and task digits has images \(1, 9, 9\) of float32 \(channel, height, ",
    ):
        wire(make({"kd": {"weight": 1}}), larger, other)
    assert wire(make(), digits, other).teacher_stages == ()


@pytest.mark.parametrize("name", ["hint", "attention_transfer", "rkd_distance", "similarity_preserving", "nst", "pkt"])
def test_an_onnx_teacher_has_logits_but_no_features(make, digits, tmp_path, name):
    module = build({"family": "resnet", "depth": 8}, input_shape=SHAPE, classes=10).eval()
    path = export(module, tmp_path / "teacher.onnx", Input.of_images(SHAPE))
    teacher = load_teacher(OnnxTeacher(onnx=str(path)), digits)
    with pytest.raises(UserError, match=rf"distill\.losses\.{name}.*logits only"):
        wire(make({name: {"weight": 1}}), digits, teacher)
    assert wire(make({"kd": {"weight": 1}}), digits, teacher).teacher_stages == ()


@pytest.mark.parametrize("name", ["attention_transfer", "nst", "channel_wise", "factor_transfer"])
def test_where_things_are_is_not_compared_on_one_pixel(make, digits, teacher, name):
    deep = {"family": "resnet", "stages": [{"depth": 1, "channels": 4, "stride": 2}] * 3}
    with pytest.raises(UserError, match=rf"losses\.{name}\.at: stage3 meets the teacher's stage3 at 1x1 pixels"):
        wire(make({name: {"weight": 1}}, student=deep), digits, teacher)
    wire(make({name: {"weight": 1, "at": ["stage2"]}}, student=deep), digits, teacher)


def test_any_submodule_can_be_tapped_by_path(make, digits, teacher):
    pair = {"student": "stage1.0.body.0", "teacher": "stage2.0.body.1"}
    recipe = make({"hint": {"weight": 1, "at": [pair, "last"]}, "srrl": {"weight": 1}})
    assert pairs(wire(recipe, digits, teacher), "hint") == [
        ("stage1.0.body.0", "stage2.0.body.1"),
        ("stage2", "stage3"),
    ]
    for side, path in (("student", "stage1.0.bdy"), ("teacher", "stage9")):
        wrong = make({"hint": {"weight": 1, "at": [pair | {side: path}]}})
        with pytest.raises(UserError, match=rf"hint\.at: .*{path}.*stage1"):
            wire(wrong, digits, teacher)


def test_every_loss_is_computed_on_shapes_before_training(make, digits, teacher):
    recipe = make({"similarity_preserving": {"weight": 1}, "crd_inbatch": {"weight": 1}, "review_hcl": {"weight": 1}})
    before = torch.get_rng_state()
    names = [term.name for term in wire(recipe, digits, teacher).terms]
    assert names == ["task", "similarity_preserving", "crd_inbatch", "review_hcl"]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["dkd", "crd"])
@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_losses_of_one_class_or_one_image_take_no_mixed_images(make, digits, teacher, name, mixing):
    with pytest.raises(UserError, match=rf"losses\.{name} needs images that are not mixed, .* has {mixing}"):
        wire(make({name: {"weight": 1}}, augment=[mixing]), digits, teacher)


def test_gradients_of_the_teacher_are_not_kept(make, digits, teacher):
    recipe = make({"gradient_matching": {"weight": 1}}, targets="cache-fp32")
    with pytest.raises(UserError, match=r"gradient_matching needs the teacher's gradients, which are not cached"):
        wire(recipe, digits, teacher)
