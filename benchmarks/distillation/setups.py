"""The recipes of the loss and balance tables: one student, one loss beside the task's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from automl_kd.distillation import LOSS_SPECS

STUDENT: Mapping[str, Any] = MappingProxyType(
    {
        "family": "resnet",
        "stem": {"stride": 2},
        "stages": [{"depth": 1, "channels": channels} for channels in (8, 16, 32)],
    }
)
PUBLISHED: Mapping[str, float] = MappingProxyType(
    {
        "kd": 1.0,
        "dkd": 1.0,  # with 1 for the target and 8 for the rest inside
        "dist": 2.0,
        "logit_standardization": 9.0,
        "hint": 100.0,
        "attention_transfer": 1000.0,
        "similarity_preserving": 3000.0,
        "correlation_congruence": 0.02,
        "rkd_distance": 25.0,
        "rkd_angle": 50.0,
        "pkt": 30_000.0,
        "factor_transfer": 200.0,
        "fsp": 50.0,
        "nst": 50.0,
        "crd": 0.8,
    }
)
"""Weights beside a cross-entropy of weight 1, as the papers and RepDistiller have them."""
BALANCES = ("none", "gradient")


def document(distill: Mapping[str, Any], seed: int, epochs: int) -> dict[str, Any]:
    """A recipe that differs from the others in how it distils, and in its seed."""
    train = {"epochs": epochs, "optimizer": {"name": "sgd", "lr": 0.1}, "warmup": 0.1}
    # SimKD's student brings the projector to the teacher's last map, which has 64 channels.
    projected = {"projector": {"channels": 64}} if "simkd" in distill.get("losses", {}) else {}
    return {"seed": seed, "student": {**STUDENT, **projected}, "distill": dict(distill), "train": train}


def beside(name: str, weight: float, balance: str, **inside: Any) -> dict[str, Any]:
    """How a recipe distils with one loss beside the task's own."""
    # Gradients of the teacher by the image cannot be kept.
    targets = "live" if LOSS_SPECS[name].inputs == "gradients" else "cache-fp32"
    return {"targets": targets, "balance": balance, "losses": {name: {"weight": weight, **inside}}}


def names() -> list[str]:
    """Every loss but the task's own."""
    return [name for name in LOSS_SPECS if name != "task"]
