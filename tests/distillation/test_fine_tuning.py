"""What fine-tuning needs: weights averaged, held, moved by depth; statistics kept or measured; gradients clipped."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch
from torch.optim.swa_utils import update_bn

from automl_kd.core import Input, Interrupted, Output, Signature, UserError
from automl_kd.distillation import distill, measured_batches, reestimate
from automl_kd.distillation.averaging import WeightAverage
from automl_kd.distillation.learner import Learner
from automl_kd.distillation.precision import has_bfloat16
from automl_kd.distillation.requirements import check_stages
from automl_kd.recipes import Train
from automl_kd.students import Plan, build, plan
from automl_kd.tasks import Split

PLAIN_SGD = {"name": "sgd", "lr": 0.1, "momentum": 0, "weight_decay": 0}
STAGES = ("stem", "stage1", "stage2", "head")
SCRATCH = {"family": "resnet", "depth": 8}


@pytest.fixture
def tuned(make):
    """A recipe with fields of ``train`` beside the usual ones."""

    def recipe(losses=None, *, optimizer=None, student=None, balance="none", **train):
        plain = make(losses, optimizer=optimizer, student=student, balance=balance, batch_size=32)
        return plain.with_(train=plain.train.model_dump(exclude_none=True) | train)

    return recipe


@pytest.fixture
def after(few, teacher, tmp_path):
    """The checkpoint of a run after some of its steps."""

    def after(recipe, steps):
        path, asked = tmp_path / f"{recipe.digest()}-{steps}.pt", iter(range(steps + 1))
        with pytest.raises(Interrupted):
            distill(
                recipe, few, teacher, device="cpu", checkpoint=path, should_stop=lambda: next(asked, steps) == steps
            )
        return torch.load(path, weights_only=True)

    return after


def floating(state):
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def changed(before, now, part=""):
    """The names of the tensors under a part that are not as before."""
    return [name for name in before if name.startswith(part) and not torch.equal(before[name], now[name])]


def learned(before, now):
    """The names of the tensors that are not as before, without statistics."""
    return [name for name in changed(before, now) if not name.endswith(("_mean", "_var", "_tracked"))]


def moved(before, now, part=""):
    """How far the learned weights under a part have moved, the L2 norm."""
    names = [name for name in learned(before, now) if name.startswith(part)]
    return math.hypot(*(float((now[name] - before[name]).norm()) for name in names))


def test_values_that_ask_for_nothing_change_nothing(tuned, few):
    nothing = {"layer_decay": 1.0, "freeze": 0, "clip": 1e6, "label_smoothing": 0, "precision": "float32"}
    plain, same = (distill(tuned(**train), few, None, device="cpu", until=1) for train in ({}, nothing))
    assert not changed(plain.student.state_dict(), same.student.state_dict())


class TestAverage:
    def test_it_is_the_weighted_mean_of_all_weights_so_far(self):
        student = build(SCRATCH, input_shape=(1, 8, 8), classes=3)
        average = WeightAverage(student, 0.3)
        expected = {name: tensor.double() for name, tensor in floating(student.state_dict()).items()}
        for step, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 0.3, 0.3]):  # (1 + n) / (10 + n), then 0.3
            with torch.no_grad():
                for tensor in student.state_dict().values():
                    tensor.add_(step + 1)
            average.update(step)
            live = student.state_dict()
            expected = {name: decay * kept + (1 - decay) * live[name] for name, kept in expected.items()}
        found = average.state_dict()
        assert found.keys() == expected.keys()
        for name, tensor in found.items():
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-6, atol=1e-6)

    def test_it_is_delivered_and_changes_nothing_of_the_training(self, tuned, few, tmp_path):
        plain = distill(tuned(), few, None, device="cpu")
        path = tmp_path / "run.pt"
        averaged = distill(tuned(ema=0.9), few, None, device="cpu", checkpoint=path)
        kept = torch.load(path, weights_only=True)
        assert not changed(plain.student.state_dict(), kept["student"])
        assert not changed(kept["average"], averaged.student.state_dict())
        assert changed(kept["average"], kept["student"], "stage1")
        assert averaged.losses == plain.losses
        assert averaged.evaluation.values != plain.evaluation.values


class TestDepth:
    def test_the_learning_rate_falls_with_every_stage_from_the_head(self, tuned, after):
        losses = {"hint": {"weight": 1}}
        plain, slower = (tuned(losses, optimizer=PLAIN_SGD, **each) for each in ({}, {"layer_decay": 0.5}))
        start, whole, decayed = after(plain, 0), after(plain, 1), after(slower, 1)
        for distance, stage in enumerate(reversed(STAGES)):
            expected = 0.5**distance * moved(start["student"], whole["student"], stage)
            assert moved(start["student"], decayed["student"], stage) == pytest.approx(expected, rel=1e-3)
        assert not changed(whole["adapters"], decayed["adapters"])


class TestHeld:
    def test_only_the_classifier_and_adapters_learn_for_a_part_of_the_run(self, tuned, after, few, teacher):
        losses = {name: {"weight": 1} for name in ("kd", "hint", "attention_transfer", "self_distillation")}
        recipe = tuned(losses, balance="gradient", freeze=0.4)  # of 15 steps the first 6
        start, held, thawed = (after(recipe, steps) for steps in (0, 6, 7))
        assert {name.split(".")[0] for name in learned(start["student"], held["student"])} == {"head"}
        assert changed(start["adapters"], held["adapters"])
        for stage in STAGES:
            assert changed(held["student"], thawed["student"], stage)
        outcome = distill(recipe, few, teacher, device="cpu")
        assert (outcome.dropped, outcome.finished) == ({}, True)
        assert outcome.losses.keys() == {"task", *losses}

    def test_the_convolution_before_a_classifier_is_held_too(self, tuned, after):
        student = {"family": "mobilenet", "stem": {"channels": 8}, "stages": [{"depth": 1}], "head": 16}
        recipe = tuned(student=student, freeze=0.9)
        start, held = (after(recipe, steps)["student"] for steps in (0, 5))
        assert {name.rsplit(".", 1)[0] for name in learned(start, held)} == {"head.1.linear"}

    def test_the_projector_of_simkd_learns_before_the_teachers_own_classifier(self, tuned, after, teacher):
        student = {"family": "resnet", "stages": [{"depth": 1, "channels": 8}], "projector": {"channels": 64}}
        recipe = tuned({"task": {"weight": 0}, "simkd": {"weight": 1}}, student=student, freeze=0.5)
        start, held = (after(recipe, steps)["student"] for steps in (0, 6))
        assert {name.split(".")[0] for name in learned(start, held)} == {"projector"}
        weight, _ = teacher.head()
        assert torch.equal(held["head.0.linear.weight"], weight)

    def test_losses_that_could_move_nothing_are_left_out_meanwhile(self, tuned, few, teacher):
        recipe = tuned({"task": {"weight": 0}, "attention_transfer": {"weight": 1}}, freeze=0.4)
        first = distill(recipe, few, teacher, device="cpu", until=1)
        last = distill(recipe, few, teacher, device="cpu")
        assert (first.losses, last.losses.keys()) == ({}, {"attention_transfer"})

    def test_a_student_from_scratch_cannot_be_held_to_the_end(self, tuned):
        with pytest.raises(ValueError, match=r"train\.freeze is 1, .* student\.start is scratch"):
            tuned(freeze=1)

    @pytest.mark.parametrize("field", ["freeze", "layer_decay"])
    def test_a_network_without_stages_is_refused(self, tuned, field):
        whole = Plan((("model", plan(SCRATCH, input_shape=(1, 8, 8), classes=3).blocks),))
        with pytest.raises(UserError, match=rf"^train\.{field}: a student of family resnet has no stages .*\.?$"):
            check_stages(tuned(**{field: 0.5}), whole)
        check_stages(tuned(freeze=0, layer_decay=1), whole)  # which ask for nothing


class TestStatistics:
    @staticmethod
    def _student():
        torch.manual_seed(0)
        return build(SCRATCH, input_shape=(1, 8, 8), classes=3)

    def test_measured_anew_they_are_those_of_torch(self):
        student, batches = self._student().train(), torch.randn(3, 16, 1, 8, 8).unbind()
        reference = copy.deepcopy(student)
        update_bn(batches, reference)
        student.get_submodule("stage1").eval()
        modes = [module.training for module in student.modules()]
        reestimate(student, batches)
        assert not changed(reference.state_dict(), student.state_dict())
        assert modes == [module.training for module in student.modules()]
        assert {module.momentum for module in student.modules() if hasattr(module, "momentum")} == {0.1}

    def test_the_unit_of_values_is_no_statistic(self):
        signature = Signature(Input.of_images((1, 8, 8)), Output("values", 1, "real", (1000.0,), (30.0,)))
        student = build(SCRATCH, signature)
        start = copy.deepcopy(student.state_dict())
        reestimate(student, torch.randn(2, 16, 1, 8, 8).unbind())
        assert not changed(start, student.state_dict(), "head.0.unit")
        assert changed(start, student.state_dict(), "stem")

    def test_they_are_measured_for_what_is_judged_and_the_run_goes_on_as_if_not(self, tuned, few, tmp_path):
        recipe, path = tuned(batch_norm="reestimated"), tmp_path / "run.pt"
        plain = distill(tuned(), few, None, device="cpu")
        first = distill(recipe, few, None, device="cpu", checkpoint=path, until=1)
        last = distill(recipe, few, None, device="cpu", checkpoint=path)
        live = torch.load(path, weights_only=True)["student"]
        assert not changed(plain.student.state_dict(), live)
        assert {name.rsplit("_", 1)[1] for name in changed(live, last.student.state_dict())} == {
            "mean",
            "var",
            "tracked",
        }
        alone = distill(recipe, few, None, device="cpu", until=1)
        assert (first.score, first.losses) == (alone.score, alone.losses)
        expected = copy.deepcopy(plain.student)
        reestimate(expected, measured_batches(few, recipe.seed, torch.device("cpu")))
        assert not changed(expected.state_dict(), last.student.state_dict())

    def test_the_batches_are_parts_of_equal_size_of_training_examples(self, digits):
        # 257 examples, of which a batch of 256 would leave one, whose channels have no variance.
        task = dataclasses.replace(digits, train=Split(digits.train.inputs[:257], digits.train.labels[:257]))
        batches = list(measured_batches(task, 3, torch.device("cpu")))
        assert sorted(map(len, batches)) == [128, 129]
        torch.testing.assert_close(
            torch.cat(batches).sum(dim=0), task.modality.prepare(task.train.inputs).sum(dim=0), rtol=1e-4, atol=1e-3
        )

    @pytest.mark.parametrize(
        ("train", "held", "inherited", "kept"),
        [
            ({"batch_norm": "frozen"}, False, True, True),
            ({"batch_norm": "frozen"}, False, False, False),  # random weights have none
            ({"freeze": 0.6}, True, True, True),
            ({"freeze": 0.6}, True, False, False),
            ({"freeze": 0.6}, False, True, False),
        ],
    )
    def test_those_that_came_with_weights_stay_while_they_are_frozen_or_held(self, train, held, inherited, kept):
        student = self._student().train()
        learner = Learner(student, torch.nn.ModuleDict(), Train(epochs=1, **train), inherited=inherited)
        start = copy.deepcopy(student.state_dict())
        learner.begin(0.5, held=held)
        learner.move(student(torch.randn(8, 1, 8, 8)).square().sum(), 0)
        after = changed(start, student.state_dict())
        assert kept == (not [name for name in after if "running" in name or "tracked" in name])
        assert held == ("stage1.0.body.0.1.weight" not in after)
        assert "head.0.linear.weight" in after


class TestClip:
    def test_all_gradients_together_have_the_norm_that_is_said(self, tuned, after):
        recipe = tuned({"hint": {"weight": 1}}, optimizer=PLAIN_SGD, clip=0.01)
        start, stepped = after(recipe, 0), after(recipe, 1)
        steps = (moved(start[part], stepped[part]) for part in ("student", "adapters"))
        assert math.hypot(*steps) == pytest.approx(0.1 * 0.01, rel=1e-3)


class TestPrecision:
    def test_bfloat16_is_refused_where_a_cpu_would_imitate_it(self, tuned, few):
        recipe = tuned(precision="bfloat16")
        if has_bfloat16():
            assert math.isfinite(distill(recipe, few, None, device="cpu").losses["task"])
        else:
            with pytest.raises(UserError, match=r"^train\.precision: this CPU does not compute in bfloat16 .*$"):
                distill(recipe, few, None, device="cpu")


class TestLabelSmoothing:
    def test_it_reaches_the_tasks_loss_and_no_other(self, tuned, few, teacher):
        losses = {"dkd": {"weight": 1}}
        optimizer = PLAIN_SGD | {"lr": 1e-30}  # moves nothing, so that losses can be compared
        plain, smooth = (
            distill(tuned(losses, optimizer=optimizer, **each), few, teacher, device="cpu", until=1).losses
            for each in ({}, {"label_smoothing": 0.3})
        )
        assert smooth["dkd"] == plain["dkd"]
        assert smooth["task"] != pytest.approx(plain["task"], rel=1e-4)
