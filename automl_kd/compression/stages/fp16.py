"""Weights in half precision: half the bytes of a file, and the same computation."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from automl_kd.compression.folding import without_normalisation
from automl_kd.compression.stage import STAGES, Stage
from automl_kd.core import UserError
from automl_kd.onnxio import store_halves
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule

_BYTES = 2
_LARGEST = torch.finfo(torch.float16).max


class Fp16(StagePart):
    """Each weight is rounded to float16 and stored so.

    Only the file shrinks. Computation stays the device's, in its own precision: a runtime widens the weights when it
    loads the file, so latency and memory are priced as without the stage.
    """

    stage: Literal["fp16"]


def price(part: Fp16, plan: Plan) -> Plan:
    """The same blocks with weights of two bytes."""
    return replace(plan, weight_bytes=min(plan.weight_bytes, _BYTES))


def apply(part: Fp16, student: StudentModule) -> StudentModule:
    """A copy whose weights are numbers of float16, held in float32.

    Batch normalisation is folded into convolutions and linear layers first, as an exporter would fold it, because what
    is rounded has to be what the file holds. The scale and shift of one that stands alone stay float32, a vector each.

    Raises:
        UserError: If a weight is too large for float16.
    """
    compressed = without_normalisation(copy.deepcopy(student).eval())
    with torch.no_grad():
        for name, weight in compressed.named_parameters():
            if weight.is_floating_point():
                weight.copy_(_rounded(name, weight))
    compressed.plan = price(part, student.plan)
    return compressed


def store(part: Fp16, path: Path) -> None:
    """Each tensor of weights as float16 with a cast to float32 behind it."""
    store_halves(path)


def _rounded(name: str, weight: torch.Tensor) -> torch.Tensor:
    largest = float(weight.abs().max()) if weight.numel() else 0.0
    if largest > _LARGEST:
        raise UserError(f"compress fp16: weight {name} reaches {largest:.6g}; float16 ends at {_LARGEST:.0f}")
    return weight.half().to(weight.dtype)


def words(part: Fp16) -> str:
    """What it does."""
    return "weights in half precision"


STAGES.add("fp16", Stage(part=Fp16, words=words, price=price, apply=apply, store=store))
