from __future__ import annotations

import copy
import dataclasses
import math
import shutil

import pytest
import torch
from torch._inductor.exc import InductorError

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import Diverged, distill, evaluate
from automl_kd.students import build
from automl_kd.tasks import Split

EVERY_LOSS = {
    "kd": {"weight": 1, "temperature": {"schedule": "cosine", "start": 6, "end": 2}},
    "hint": {"weight": 1, "at": ["stage1", "last"], "until": 0.8},
    "attention_transfer": {"weight": 100},
    "rkd_distance": {"weight": 2.5},
    "rkd_angle": {"weight": 5},
    "dist": {"weight": 2},
    "similarity_preserving": {"weight": 100, "at": ["stage2"]},
    "nst": {"weight": 10},
    "pkt": {"weight": 1000},
}


def weights(outcome):
    return outcome.student.state_dict()


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_a_student_learns_digits_and_kd_brings_it_near_the_teacher(make, digits, teacher):
    losses = {"kd": {"weight": 1, "temperature": 4}}
    first = distill(make(losses, epochs=5), digits, teacher, until=1, device="cpu")
    last = distill(make(losses, epochs=5), digits, teacher, device="cpu")
    assert last.score > 0.8
    assert last.losses["kd"] < 0.5 * first.losses["kd"]
    assert (first.epoch, first.finished, last.epoch, last.finished) == (1, False, 5, True)
    assert last.step == 5 * math.ceil(len(digits.train) / 32)
    assert last.seconds > 0


def test_a_student_learns_from_the_teacher_alone(make, digits, teacher):
    outcome = distill(make({"task": {"weight": 0}, "kd": {"weight": 1}}, epochs=5), digits, teacher, device="cpu")
    assert outcome.score > 0.8
    assert outcome.losses.keys() == {"kd"}


@pytest.mark.parametrize(
    "name", ["hint", "attention_transfer", "rkd_distance", "rkd_angle", "dist", "similarity_preserving", "nst", "pkt"]
)
def test_a_loss_falls_when_it_is_all_there_is(make, few, teacher, name):
    recipe = make({"task": {"weight": 0}, name: {"weight": 1}}, epochs=6, optimizer={"name": "adamw", "lr": 0.01})
    first = distill(recipe, few, teacher, until=1, device="cpu").losses[name]
    last = distill(recipe, few, teacher, device="cpu").losses[name]
    assert last < 0.9 * first


def test_cached_and_live_targets_agree_without_augmentation(make, few, teacher, tmp_path):
    losses = {"kd": {"weight": 1}, "hint": {"weight": 1}}
    live = distill(make(losses, targets="live"), few, teacher, device="cpu")
    cached = distill(make(losses, targets="cache-fp32"), few, teacher, device="cpu", cache=tmp_path)
    half = distill(make(losses, targets="cache-fp16"), few, teacher, device="cpu", cache=tmp_path)
    # Batches of other sizes may sum in another order; half precision keeps three digits.
    assert cached.losses == pytest.approx(live.losses, rel=1e-3)
    assert half.losses == pytest.approx(live.losses, rel=2e-2)
    assert any(tmp_path.iterdir())


def test_equal_seeds_give_equal_weights_and_others_do_not(make, few, teacher):
    recipe = make(EVERY_LOSS, augment=["crop", "flip", "mixup"])
    once, again = (distill(recipe, few, teacher, device="cpu") for _ in range(2))
    assert equal(weights(once), weights(again))
    assert once.losses == again.losses
    other = distill(recipe.with_(seed=4), few, teacher, device="cpu")
    assert not equal(weights(once), weights(other))


@pytest.mark.parametrize("augment", ["crop", "flip", "mixup", "cutmix"])
def test_augmentation_changes_what_is_learned(make, few, augment):
    plain, augmented = (distill(make(augment=names, epochs=1), few, None, device="cpu") for names in ((), (augment,)))
    assert not equal(weights(plain), weights(augmented))


def test_what_is_distilled_does_not_change_where_the_student_starts(make, few, teacher, tmp_path):
    def start(losses):
        path = tmp_path / f"{len(losses)}.pt"
        with pytest.raises(Interrupted):
            distill(make(losses), few, teacher, device="cpu", checkpoint=path, should_stop=lambda: True)
        return torch.load(path, weights_only=True)["student"]

    assert equal(start({}), start(EVERY_LOSS))


def test_adapters_are_trained_but_are_no_part_of_the_student(make, few, teacher, tmp_path):
    recipe = make({"hint": {"weight": 1}})
    path = tmp_path / "run.pt"
    outcome = distill(recipe, few, teacher, device="cpu", checkpoint=path)
    plain = build(recipe.student, few.signature)
    assert weights(outcome).keys() == plain.state_dict().keys()
    state = torch.load(path, weights_only=True)
    first = distill(recipe, few, teacher, device="cpu", until=1, checkpoint=tmp_path / "first.pt")
    assert first.epoch == 1
    earlier = torch.load(tmp_path / "first.pt", weights_only=True)
    assert not torch.equal(state["adapters"]["hint_stage2.0.weight"], earlier["adapters"]["hint_stage2.0.weight"])


def test_nothing_is_left_on_the_student(make, few, teacher):
    student = distill(make(EVERY_LOSS, epochs=1), few, teacher, device="cpu").student
    assert not student.training
    assert not any(module._forward_hooks for module in student.modules())


def test_the_teacher_is_left_as_it_was(make, few, teacher):
    images = few.modality.prepare(few.validation.inputs)
    before = copy.deepcopy(teacher.outputs(images, teacher.stage_names()))
    distill(make(EVERY_LOSS, augment=["crop"], epochs=1), few, teacher, device="cpu")
    after = teacher.outputs(images, teacher.stage_names())
    assert torch.equal(after.logits, before.logits)
    assert equal(after.maps, before.maps)


def test_the_callers_random_state_neither_decides_nor_changes(make, few, teacher):
    recipe = make(EVERY_LOSS, augment=["crop", "mixup"], epochs=1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = distill(recipe, few, teacher, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert equal(weights(distill(recipe, few, teacher, device="cpu")), weights(once))


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "lr": 1e6}, {"name": "adamw", "lr": 1e6}])
def test_a_run_that_diverges_says_what_and_when_and_stops(make, few, teacher, optimizer):
    epochs = []
    recipe = make({"kd": {"weight": 1e6}}, optimizer=optimizer, epochs=50)
    with pytest.raises(
        Diverged, match=r"non-finite ((loss|gradient of loss) (task|kd) at|weights after) step \d+"
    ) as caught:
        distill(recipe, few, teacher, device="cpu", on_epoch=lambda epoch, _: epochs.append(epoch))
    step = int(caught.value.reason.rsplit(" ", 1)[1])
    assert step // 5 == len(epochs)


def test_weights_are_looked_at_even_where_no_loss_shows_them(make, few, tmp_path):
    # In training, batch normalisation does not read its running mean.
    path = tmp_path / "run.pt"
    distill(make(), few, None, device="cpu", checkpoint=path, until=1)
    state = torch.load(path, weights_only=True)
    state["student"]["stem.0.1.running_mean"][0] = float("inf")
    torch.save(state, path)
    with pytest.raises(Diverged, match=r"non-finite weights after step 9$"):
        distill(make(), few, None, device="cpu", checkpoint=path)


def test_every_epoch_has_an_order_of_its_own(make, few, tmp_path):
    # With a learning rate that moves nothing, the losses of an epoch are a signature of its batches.
    recipe = make(optimizer={"name": "sgd", "lr": 1e-30})

    def signature(epoch):
        path = tmp_path / f"{epoch}.pt"
        distill(recipe, few, None, device="cpu", checkpoint=path, until=epoch)
        return torch.load(path, weights_only=True)["objective"]["history"]["task"]["values"].tolist()

    assert signature(1) == signature(1)
    assert signature(1) != pytest.approx(signature(2), rel=1e-4)


def test_mixed_labels_belong_to_the_mixed_images(make, digits):
    assert distill(make(augment=["mixup"], epochs=4), digits, None, device="cpu").score > 0.8


def test_the_first_non_finite_loss_is_named(make, few, teacher):
    images = few.train.inputs.clone()
    images[7] = float("nan")
    task = dataclasses.replace(few, train=Split(images, few.train.labels))
    with pytest.raises(Diverged, match=r"non-finite loss task at step [0-4]$"):
        distill(make({"kd": {"weight": 1}}, targets="live"), task, teacher, device="cpu")


def test_a_last_batch_of_one_image_is_left_out(make, few):
    def steps(count):
        task = dataclasses.replace(few, train=Split(few.train.inputs[:count], few.train.labels[:count]))
        return distill(make(epochs=1), task, None, device="cpu").step

    assert [steps(count) for count in (20, 64, 65, 66)] == [1, 2, 2, 3]


def test_on_epoch_is_told_every_epoch_and_the_score_at_the_end(make, few):
    told = []
    outcome = distill(make(), few, None, device="cpu", on_epoch=lambda *arguments: told.append(arguments))
    assert told == [(1, None), (2, None), (3, outcome.score)]


def test_losses_whose_weight_has_ended_are_not_computed(make, few, teacher):
    outcome = distill(make({"kd": {"weight": 1, "until": 0.5}}), few, teacher, device="cpu")
    assert outcome.losses.keys() == {"task"}


def test_evaluate_counts_and_puts_the_train_flag_back(make, few):
    student = distill(make(), few, None, device="cpu").student.train()
    found = evaluate(student, few, few.validation, "cpu")
    assert student.training
    student.eval()
    with torch.no_grad():
        predicted = student(few.modality.prepare(few.validation.inputs)).argmax(dim=1)
    expected = (predicted == few.validation.labels).numpy()
    assert (found.statistics == expected[:, None]).all()
    assert found.score == found.values["accuracy"] == expected.mean()


def test_arguments_that_make_no_sense_are_refused(make, few):
    with pytest.raises(ValueError, match=r"until is 4: should be from 1 to total_epochs, 3"):
        distill(make(), few, None, until=4)
    with pytest.raises(UserError, match=r"device 'abacus' does not exist"):
        distill(make(), few, None, device="abacus")


def test_total_epochs_is_the_length_of_the_schedule(make, few):
    long = distill(make(epochs=3), few, None, total_epochs=6, until=3, device="cpu")
    same = distill(make(epochs=6), few, None, until=3, device="cpu")
    short = distill(make(epochs=3), few, None, device="cpu")
    assert equal(weights(long), weights(same))
    assert not equal(weights(long), weights(short))
    assert not long.finished


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="compiling needs a C++ compiler")
def test_a_compiled_student_learns_the_same_up_to_rounding(make, few, teacher):
    recipe = make({"kd": {"weight": 1}, "hint": {"weight": 1}}, balance="gradient", epochs=2, batch_size=47)
    plain = distill(recipe, few, teacher, device="cpu")
    try:
        compiled = distill(recipe, few, teacher, device="cpu", compiled=True)
    except InductorError as error:  # a compiler without Python's headers, for example
        pytest.skip(f"the compiler does not work here: {error}")
    assert compiled.losses == pytest.approx(plain.losses, rel=0.05)
    assert weights(compiled).keys() == weights(plain).keys()


def test_a_compiled_student_is_not_differentiated_twice(make, few, teacher):
    with pytest.raises(UserError, match=r"gradient_matching differentiates twice|needs a C"):
        distill(make({"gradient_matching": {"weight": 1}}), few, teacher, device="cpu", compiled=True)


def test_without_a_compiler_it_is_told_in_one_line(make, few, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler: install g\+\+"):
        distill(make(), few, None, device="cpu", compiled=True)
