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

@loss("flows")
def named_in_0_1(student, teacher):
    assert len(student) == len(teacher) == 2
    return sum((s.mean() - t.mean()).square() for s, t in zip(student, teacher))

def unmarked(student, teacher):
    return (student - teacher).sum()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "losses.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def custom(path):
    def losses(function="cosine", **fields):
        parameters = {"sharpness": 2.0} if function == "cosine" else {}
        return {
            "custom": {
                "mine": {"file": str(path), "function": function, "weight": 1} | {"parameters": parameters} | fields
            }
        }

    return losses


def test_a_custom_loss_trains_beside_the_others(make, few, teacher, custom):
    recipe = make(custom() | {"kd": {"weight": 1}}, epochs=4)
    first = distill(recipe, few, teacher, device="cpu", until=1, allow_code=True)
    last = distill(recipe, few, teacher, device="cpu", allow_code=True)
    assert last.losses["mine"] < first.losses["mine"]


def test_it_may_compare_features(make, few, teacher, custom):
    recipe = make(custom("moments", at=["stage1", "last"]), epochs=1)
    assert distill(recipe, few, teacher, device="cpu", allow_code=True).losses["mine"] > 0


@pytest.mark.parametrize(
    ("function", "fields", "allowed", "message"),
    [
        (
            "cosine",
            {},
            False,
            r"mine: runs the code of .*losses\.py: look at it, then allow it with --allow-code",
        ),
        ("cosine", {"file": "nowhere.py"}, True, r"custom\.mine\.file: nowhere\.py: no such file"),
        ("cosine", {"sha256": "0" * 64}, True, r"custom\.mine\.sha256: .* changed since the recipe was made"),
        (
            "unmarked",
            {},
            True,
            r"custom\.mine\.function: .* has no loss unmarked: it holds cosine, moments, missing, number, vector, .*",
        ),
        ("vector", {}, True, r"losses\.mine: gives a tensor of shape \(4,\); a loss gives a tensor of one number"),
        ("number", {}, True, r"losses\.mine: gives 1\.0; a loss gives a tensor of one number"),
        ("missing", {}, True, r"losses\.mine: cannot be computed here: 'absent'"),
        ("cosine", {"parameters": {"sharp": 1}}, True, r"losses\.mine: cannot be computed here: .*sharp"),
    ],
)
def test_what_is_wrong_is_said_before_any_training(make, few, teacher, custom, function, fields, allowed, message):
    with pytest.raises(UserError, match=message):
        wire(make(custom(function, **fields)), few, teacher, allow_code=allowed)


def test_inputs_under_their_names_of_0_1_are_still_understood(make, few, teacher, custom):
    (term,) = wire(make(custom("named_in_0_1", at=["all"])), few, teacher, allow_code=True).terms[1:]
    assert term.spec.inputs.name == "stage_pairs"


def test_a_file_that_fails_is_named(make, few, teacher, custom, path):
    path.write_text("1 / 0")
    with pytest.raises(UserError, match=r"losses\.py fails: ZeroDivisionError: division by zero"):
        wire(make(custom()), few, teacher, allow_code=True)


def test_the_right_hash_is_accepted(make, few, teacher, custom, path):
    wire(make(custom(sha256=sha256_of(path))), few, teacher, allow_code=True)


def test_labels_of_one_example_are_not_given_for_mixed_ones(make, few, teacher, custom):
    with pytest.raises(UserError, match=r"losses\.mine needs images that are not mixed, and train\.augment has mixup"):
        wire(make(custom(), augment=["mixup"]), few, teacher, allow_code=True)
    wire(make(custom("moments"), augment=["mixup"]), few, teacher, allow_code=True)


def test_only_known_inputs_can_be_asked_for():
    with pytest.raises(ValueError, match="inputs 'weights': should be one of logits, maps"):
        loss("weights")  # type: ignore[arg-type]


def test_the_name_of_a_built_in_loss_is_taken(make, custom):
    with pytest.raises(ValueError, match=r"custom\.kd has the name of a loss that is built in"):
        make({"custom": {"kd": custom()["custom"]["mine"]}})


def test_only_known_meanings_can_be_taken():
    with pytest.raises(ValueError, match="takes 'binary': should be of categorical, bernoulli, real"):
        loss("logits", takes=["binary"])  # type: ignore[list-item]
