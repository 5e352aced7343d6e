"""Unlabelled examples beside labelled ones: which batches hold them, and which losses see them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from on_disk import OnDisk
from torch import nn

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import LOSS_SPECS, distill, wire
from automl_kd.distillation.composition import Composition
from automl_kd.distillation.losses import StepContext
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.term import Term
from automl_kd.recipes import Recipe, Train, validate
from automl_kd.studies.policy import no_distillation
from automl_kd.tasks import Split, generator

EVERY = {
    "task": {"weight": 0.5},
    "kd": {"weight": 1, "temperature": {"adaptive": "learned", "start": 4}},
    "self_distillation": {"weight": 0.5},
    "similarity_preserving": {"weight": 1},
    "mutual": {"weight": 0.5},
}
BY_POSITION = {"kd": {"weight": 1}, "dkd": {"weight": 0.5}, "crd": {"weight": 0.1, "negatives": 64, "dimension": 8}}


def weights_of(outcome):
    return torch.cat([value.flatten().double() for value in outcome.student.state_dict().values()])


def with_share(recipe, share=0.5, **train):
    return recipe.with_(train=recipe.train.model_dump() | {"unlabelled": share} | train)


@pytest.fixture(scope="module")
def fifth(digits):
    """Digits with 141 labels: 90 examples more come without, 13 of a last batch with 7 of them."""
    labelled = Split(digits.train.inputs[:141], digits.train.labels[:141])
    others = Split(digits.train.inputs[200:290], torch.zeros(90, dtype=torch.int64))
    return dataclasses.replace(digits, train=labelled, unlabelled=others)


class TestComposition:
    @given(
        labelled=st.integers(2, 200),
        unlabelled=st.integers(1, 200),
        batch=st.integers(2, 50),
        share=st.floats(0.01, 0.99),
    )
    @settings(max_examples=60, deadline=None)
    def test_an_epoch_is_one_pass_over_the_labelled_examples(self, labelled, unlabelled, batch, share):
        train = Train(epochs=1, batch_size=batch, unlabelled=share)
        composition = Composition(train, 3, labelled, unlabelled)
        drawn = composition.epoch(4)
        assert len(drawn) == composition.steps
        seen = torch.cat([each.index[: each.labelled] for each in drawn])
        assert len(seen.unique()) == len(seen) >= labelled - 1
        assert seen.max() < labelled
        others = torch.cat([each.index[each.labelled :] for each in drawn])
        assert others.min() >= labelled
        assert others.max() < labelled + unlabelled
        for each in drawn:
            assert len(each.index.unique()) == len(each.index) <= batch, "no example is in a batch twice"
            assert each.labelled < len(each.index)
        if len(others) >= unlabelled + batch:
            assert len(others.unique()) == unlabelled, "all are drawn before any is drawn again"
        assert all(torch.equal(one.index, two.index) for one, two in zip(drawn, composition.epoch(4), strict=True))

    def test_each_batch_holds_the_share(self):
        train = Train(epochs=1, batch_size=32, unlabelled=0.75)
        sizes = [(each.labelled, len(each.index)) for each in Composition(train, 0, 44, 500).epoch(0)]
        assert sizes == [(8, 32)] * 5 + [(4, 16)]

    def test_without_a_share_batches_are_those_of_before(self):
        order = torch.randperm(97, generator=generator("order", 5, 2))
        expected = order.split(32)[:3]  # the last example alone has no variance
        drawn = Composition(Train(epochs=1, batch_size=32), 5, 97).epoch(2)
        assert all(torch.equal(each.index, index) for each, index in zip(drawn, expected, strict=True))
        assert [each.labelled for each in drawn] == [32, 32, 32]


@pytest.mark.parametrize(
    ("losses", "augment"), [(EVERY, ["crop", "mixup", "cutmix"]), (BY_POSITION, ["flip"])], ids=["mixed", "unmixed"]
)
def test_labels_of_unlabelled_examples_mean_nothing_and_their_pictures_do(make, fifth, teacher, losses, augment):
    recipe = with_share(make(losses, augment=augment, epochs=1, curriculum={"start": 0.5, "until": 1.0}))
    others = fifth.unlabelled
    mislabelled = dataclasses.replace(fifth, unlabelled=Split(others.inputs, torch.full((90,), 7)))
    inverted = dataclasses.replace(fifth, unlabelled=Split(others.inputs.amax() - others.inputs, others.labels))
    found = [weights_of(distill(recipe, task, teacher, device="cpu")) for task in (fifth, mislabelled, inverted)]
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2], rtol=1e-2)


class TestWhatALossSees:
    def test_every_loss_can_be_computed_beside_unlabelled_examples(self, fifth, teacher):
        """The check of a recipe gives every loss more outputs than labels."""
        stages = [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 12}]
        for name in LOSS_SPECS:
            if name == "tinybert_attention":  # CNNs have no attention scores
                continue
            student = {"family": "resnet", "stages": stages, "projector": {"channels": 64} if name == "simkd" else None}
            recipe = Recipe.model_validate(
                {
                    "student": student,
                    "distill": {"losses": {"kd": {"weight": 1}, name: {"weight": 1}}},
                    "train": {"epochs": 1, "unlabelled": 0.5},
                }
            )
            assert wire(recipe, fifth, teacher).build_context.examples == 141 + 90

    @pytest.mark.parametrize(("name", "count"), [("task", 6), ("dkd", 6), ("kd", 8), ("dist", 8)])
    def test_those_that_read_labels_see_the_first_examples_and_others_all(self, fifth, name, count):
        spec, generator = LOSS_SPECS[name], torch.Generator().manual_seed(0)
        part = spec.part(weight=1)
        ours, theirs = (torch.randn(8, 10, generator=generator) for _ in range(2))
        labels = torch.randint(10, (6,), generator=generator)
        context = StepContext(0.5, labels, torch.arange(8), fifth.problem)
        term = Term(name, part, spec)
        found = term.value(Signals(ours, {}), Signals(theirs, {}), context, nn.ModuleDict()).loss
        alone = dataclasses.replace(context, index=context.index[:count], labels=labels)
        seen = Signals(ours[:count], {}), Signals(theirs[:count], {})
        assert found.item() == term.value(*seen, alone, nn.ModuleDict()).loss.item()

    def test_one_that_reads_labels_and_does_not_say_so_fails(self, fifth):
        silent = dataclasses.replace(LOSS_SPECS["dkd"], labels=lambda part: False)
        context = StepContext(0.5, torch.zeros(6, dtype=torch.int64), torch.arange(8), fifth.problem)
        outputs = Signals(torch.zeros(8, 10), {})
        with pytest.raises(RuntimeError):
            Term("dkd", silent.part(weight=1), silent).value(outputs, outputs, context, nn.ModuleDict())

    def test_the_easiest_of_a_batch_are_of_those_with_labels(self, fifth):
        outputs = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
        context = StepContext(0.5, torch.zeros(6, dtype=torch.int64), torch.arange(8), fifth.problem)
        easiest, kd = torch.tensor([4, 1]), LOSS_SPECS["kd"]
        rows = torch.tensor([4, 1, 6, 7])
        term = Term("kd", kd.part(weight=1), kd)
        found = term.value(Signals(outputs, {}), Signals(outputs.flip(0), {}), context, nn.ModuleDict(), easiest).loss
        seen = Signals(outputs[rows], {}), Signals(outputs.flip(0)[rows], {})
        expected = term.value(*seen, dataclasses.replace(context, index=rows), nn.ModuleDict()).loss
        assert found.item() == expected.item()


@pytest.mark.parametrize(
    ("losses", "fields", "augment"),
    [
        (EVERY, {"curriculum": {"start": 0.5, "until": 1.0}, "balance": "gradient"}, ["crop", "mixup", "cutmix"]),
        (BY_POSITION, {"targets": "cache-fp32", "views": 2}, ["crop"]),
    ],
    ids=["live, mixed", "kept"],
)
def test_a_run_resumed_at_any_step_equals_one_that_went_through(
    make, fifth, teacher, tmp_path, losses, fields, augment
):
    steps = 11
    recipe = with_share(make(losses, augment=augment, epochs=2, **fields))
    through = distill(recipe, fifth, teacher, device="cpu", cache=tmp_path)
    assert through.step == 2 * 9
    run, asked = tmp_path / "run.pt", iter(range(steps + 1))
    with pytest.raises(Interrupted):
        distill(
            recipe,
            fifth,
            teacher,
            device="cpu",
            cache=tmp_path,
            checkpoint=run,
            should_stop=lambda: next(asked) == steps,
        )
    resumed = distill(recipe, fifth, teacher, device="cpu", cache=tmp_path, checkpoint=run)
    assert torch.equal(weights_of(resumed), weights_of(through))
    assert resumed.losses == through.losses


def test_kept_outputs_are_those_of_a_teacher_that_is_asked_and_disk_is_as_memory(make, fifth, teacher, tmp_path):
    losses = {"kd": {"weight": 1}, "hint": {"weight": 1}}
    live = distill(with_share(make(losses, augment=["crop"], targets="live")), fifth, teacher, device="cpu")
    kept = with_share(make(losses, augment=["crop"], targets="cache-fp32"))
    stored = dataclasses.replace(
        fifth,
        train=dataclasses.replace(fifth.train, inputs=OnDisk.written(tmp_path / "a.npy", fifth.train.tensor)),
        unlabelled=dataclasses.replace(
            fifth.unlabelled, inputs=OnDisk.written(tmp_path / "b.npy", fifth.unlabelled.tensor)
        ),
    )
    found = distill(kept, stored, teacher, device="cpu", cache=tmp_path / "outputs")
    assert found.losses == pytest.approx(live.losses, rel=1e-3)


def test_a_task_with_unlabelled_examples_changes_nothing_where_a_recipe_does_not_ask(make, fifth, teacher, tmp_path):
    recipe = make({"kd": {"weight": 1}}, augment=["crop"], targets="cache-fp32", epochs=1)
    assert "unlabelled" not in recipe.document()["train"]
    plain = dataclasses.replace(fifth, unlabelled=None)
    found = [weights_of(distill(recipe, task, teacher, device="cpu", cache=tmp_path)) for task in (plain, fifth)]
    assert torch.equal(*found)
    assert len(list(tmp_path.rglob("*.npy"))) == 1, "both read one file of outputs"


def test_a_fifth_of_the_labels_learns_more_with_the_rest_beside(make, digits, teacher):
    labelled = Split(digits.train.inputs[:100], digits.train.labels[:100])
    task = dataclasses.replace(digits, train=labelled, unlabelled=digits.train)
    losses = {"task": {"weight": 0.2}, "kd": {"weight": 1}}
    alone = make(losses, epochs=16, optimizer={"name": "adamw", "lr": 0.01})
    beside = with_share(alone, 0.5, epochs=8)  # as many steps
    with_others, without = (distill(each, task, teacher, device="cpu").score for each in (beside, alone))
    assert with_others > without + 0.05


class TestRefusals:
    def test_a_share_of_a_task_that_has_no_unlabelled_examples(self, make, few, teacher):
        recipe = with_share(make({"kd": {"weight": 1}}))
        with pytest.raises(UserError, match=r"train\.unlabelled: task digits has no unlabelled images: leave it out"):
            distill(recipe, few, teacher, device="cpu")

    @pytest.mark.parametrize("losses", [{}, {"dkd": {"weight": 1}, "kd": {"weight": 0}}, {"mutual": {"weight": 1}}])
    def test_a_recipe_in_which_no_loss_learns_from_them(self, make, losses):
        document = make(losses).document()
        document["train"]["unlabelled"] = 0.5
        with pytest.raises(UserError, match=r"every loss reads labels \(task.*\): leave it out, or add a loss"):
            validate(Recipe, document, "recipe.yaml")

    def test_a_custom_loss_that_takes_labels_is_no_way_out(self, make, fifth, teacher, tmp_path):
        (tmp_path / "losses.py").write_text(
            "from automl_kd.distillation import loss\n\n"
            "@loss('logits')\ndef mine(student, teacher, *, labels):\n    return (student - teacher).square().mean()\n"
        )
        custom = {"mine": {"file": str(tmp_path / "losses.py"), "function": "mine", "weight": 1}}
        with pytest.raises(UserError, match=r"every loss takes labels \(task, mine\)"):
            wire(with_share(make({"custom": custom})), fifth, teacher, allow_code=True)


def test_the_arm_without_a_teacher_takes_labelled_examples_alone(make):
    arm = no_distillation(with_share(make({"kd": {"weight": 1}})))
    assert arm.train.unlabelled is None
    assert arm.distill.needs_teacher() is False
