from __future__ import annotations

import pytest

from automl_kd.core import UserError, sha256_of
from automl_kd.distillation import distill, loss, wire

FILE = """
import torch
from automl_kd.distillation import loss

@loss("logits")
def cosine(student, teacher, *, labels, progress, sharpness):
    assert len(labels) == len(student) and 0 <= progress < 1
    return sharpness * (1 - torch.cosine_similarity(student, teacher).mean())

@loss("maps", zero_at_identity=True)
def moments(student, teacher):
    return (student.mean() - teacher.mean()).square() + (student.std() - teacher.std()).square()

@loss("logits")
def missing(student, teacher):
    return {}["absent"]

@loss("logits")
def number(student, teacher):
    return 1.0

@loss("logits")
def vector(student, teacher):
    return (student - teacher).square().sum(1)

def unmarked(student, teacher):
    return (student - teacher).sum()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "losses.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def own(path):
    def losses(function="cosine", **fields):
        parameters = {"sharpness": 2.0} if function == "cosine" else {}
        return {
            "own": {
                "mine": {"file": str(path), "function": function, "weight": 1} | {"parameters": parameters} | fields
            }
        }

    return losses


def test_a_loss_of_the_users_own_trains_beside_the_others(make, few, teacher, own):
    recipe = make(own() | {"kd": {"weight": 1}}, epochs=4)
    first = distill(recipe, few, teacher, device="cpu", until=1, allow_code=True)
    last = distill(recipe, few, teacher, device="cpu", allow_code=True)
    assert last.losses["mine"] < first.losses["mine"]


def test_it_may_compare_features(make, few, teacher, own):
    recipe = make(own("moments", at=["stage1", "last"]), epochs=1)
    assert distill(recipe, few, teacher, device="cpu", allow_code=True).losses["mine"] > 0


@pytest.mark.parametrize(
    ("function", "fields", "allowed", "message"),
    [
        ("cosine", {}, False, r"own\.mine: runs the code of .*losses\.py: look at it, then allow it with --allow-code"),
        ("cosine", {"file": "nowhere.py"}, True, r"own\.mine\.file: nowhere\.py: no such file"),
        ("cosine", {"sha256": "0" * 64}, True, r"own\.mine\.sha256: .* changed since the recipe was made"),
        (
            "unmarked",
            {},
            True,
            r"own\.mine\.function: .* has no loss unmarked: it holds cosine, moments, missing, number, vector",
        ),
        ("vector", {}, True, r"losses\.mine: gives a tensor of shape \(4,\); a loss gives a tensor of one number"),
        ("number", {}, True, r"losses\.mine: gives 1\.0; a loss gives a tensor of one number"),
        ("missing", {}, True, r"losses\.mine: cannot be computed here: 'absent'"),
        ("cosine", {"parameters": {"sharp": 1}}, True, r"losses\.mine: cannot be computed here: .*sharp"),
    ],
)
def test_what_is_wrong_is_said_before_any_training(make, few, teacher, own, function, fields, allowed, message):
    with pytest.raises(UserError, match=message):
        wire(make(own(function, **fields)), few, teacher, allow_code=allowed)


def test_a_file_that_fails_is_named(make, few, teacher, own, path):
    path.write_text("1 / 0")
    with pytest.raises(UserError, match=r"losses\.py fails: ZeroDivisionError: division by zero"):
        wire(make(own()), few, teacher, allow_code=True)


def test_the_right_hash_is_accepted(make, few, teacher, own, path):
    wire(make(own(sha256=sha256_of(path))), few, teacher, allow_code=True)


def test_labels_of_one_class_are_not_given_for_mixed_images(make, few, teacher, own):
    with pytest.raises(UserError, match=r"losses\.mine needs images of one class each, and train\.augment has mixup"):
        wire(make(own(), augment=["mixup"]), few, teacher, allow_code=True)
    wire(make(own("moments"), augment=["mixup"]), few, teacher, allow_code=True)


def test_only_known_inputs_can_be_asked_for():
    with pytest.raises(ValueError, match="inputs 'weights': should be one of logits, maps"):
        loss("weights")  # type: ignore[arg-type]


def test_the_name_of_a_built_in_loss_is_taken(make, own):
    with pytest.raises(ValueError, match=r"own\.kd has the name of a loss that is built in"):
        make({"own": {"kd": own()["own"]["mine"]}})
