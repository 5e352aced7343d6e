"""What a pick is compared with: the same recipe with other losses, or another start."""

from __future__ import annotations

from typing import Any

from automl_kd.recipes import Recipe

PLAIN_KD = ((2.0, 0.5), (4.0, 0.9), (8.0, 0.9))
"""Temperature and weight of the plain-KD candidates; the task loss weighs the rest."""

_SPARING = ("freeze", "layer_decay")
"""Fields of ``train`` that hold back the layers of inherited weights."""


def of_length(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with another length of training."""
    return recipe.with_(train=recipe.train.model_dump() | {"epochs": epochs})


def no_distillation(recipe: Recipe) -> Recipe:
    """The arm that shares start, training, epochs and seed, and never hears the teacher."""
    labelled = recipe.train.model_dump() | {"unlabelled": None}  # nothing is learned from examples without labels
    return _with_losses(recipe, {"task": {"weight": 1.0}}, train=labelled)


def plain_kd(recipe: Recipe, temperature: float, weight: float) -> Recipe:
    """The arm that shares start, training, epochs and seed, with soft targets alone."""
    losses = {"task": {"weight": round(1 - weight, 6)}, "kd": {"weight": weight, "temperature": temperature}}
    arm = _with_losses(recipe, losses)
    # Nobody decides for a recipe that hears no teacher; left open, whoever makes the arm again would decide anew.
    return arm if arm.distill.targets else arm.with_(distill=arm.distill.model_dump() | {"targets": "live"})


def from_scratch(recipe: Recipe) -> Recipe:
    """The arm that shares network, losses, schedule and seed, and starts from random weights.

    What spares inherited weights would only keep random ones from learning: it goes.
    """
    document = recipe.document()
    student = {key: value for key, value in document["student"].items() if key != "start"}
    train = {key: value for key, value in document["train"].items() if key not in _SPARING}
    if train.get("batch_norm") == "frozen":
        del train["batch_norm"]
    return recipe.with_(student=student, train=train)


def _with_losses(recipe: Recipe, losses: dict[str, Any], **changes: Any) -> Recipe:
    # The teacher is heard in the same way. Weights are as published: the settings of plain KD are known so.
    heard = {name: getattr(recipe.distill, name) for name in ("targets", "views", "mixed", "fuse")}
    return recipe.with_(distill={**heard, "balance": "none", "losses": losses}, **changes)
