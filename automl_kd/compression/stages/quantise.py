"""Integers of 8 bits: what accelerators of integers run, and what others run in less time and memory."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from automl_kd.compression.layers import blocks_of
from automl_kd.compression.material import Material
from automl_kd.compression.quantised_files import QuantisedFiles
from automl_kd.compression.stage import STAGES, Stage
from automl_kd.core import UserError
from automl_kd.onnxio import Ranges, Scheme
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule

_LEAST_EXAMPLES = 16
_WHERE = "compress quantise"
AUTO = "auto"
"""Of ``keep_float``: to be decided."""


class Quantise(StagePart):
    """Weights and activations as integers of 8 bits.

    Attributes:
        weights: Whether each output channel of a weight has a scale of its own, or the whole tensor one.
        ranges: How ranges of activations come from the values of the calibration: smallest and largest, the range of
            least divergence, or what 99.999 % of the values lie in.
        examples: Of the training split, on which ranges are found.
        keep_float: Layers that compute with floats: ``first``, ``last``, stages, blocks; or ``auto`` where those are to
            be decided under a limit once the student is trained, until when none is.
    """

    stage: Literal["quantise"]
    to: Literal["int8"] = "int8"
    how: Literal["ptq"] = "ptq"
    weights: Literal["per-channel", "per-tensor"] = "per-channel"
    ranges: Ranges = "min-max"
    examples: Annotated[int, Field(ge=_LEAST_EXAMPLES, le=100_000)] | None = None
    keep_float: tuple[str, ...] | Literal["auto"] = ()

    @model_validator(mode="after")
    def _layers_once(self) -> Self:
        if self.keep_float == AUTO:
            return self
        twice = next((name for name in self.keep_float if self.keep_float.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"keep_float names {twice} twice; once is right")
        return self


_EXAMPLES = 512
"""Of a calibration, where the recipe does not say."""


def price(part: Quantise, plan: Plan) -> Plan:
    """The same blocks, of which all but those that are kept compute with integers."""
    kept = _kept(part, plan)
    integers = tuple(at not in kept for at in range(len(plan.blocks)))
    return replace(plan, weight_bytes=1, integers=integers, per_channel=part.weights == "per-channel")


def apply(part: Quantise, student: StudentModule) -> StudentModule:
    """A copy with the plan of what ships: it is rounded in the file alone."""
    compressed = copy.deepcopy(student).eval()
    compressed.plan = price(part, student.plan)
    return compressed


def write(part: Quantise, student: StudentModule, material: Material, path: Path) -> None:
    """The file at opset 13, with integers between nodes of quantisation and dequantisation (QDQ).

    Raises:
        UserError: If the student cannot be folded into a graph, a layer to keep does not exist, or there are too few
            examples.
    """
    kept = _kept(part, student.plan)
    with TemporaryDirectory() as scratch:
        files_of(part, student, material, Path(scratch)).write(kept, path)


def files_of(part: Quantise, student: StudentModule, material: Material, folder: Path) -> QuantisedFiles:
    """The student's files with any layers kept in floats; what the part keeps does not count.

    Raises:
        UserError: If the student cannot be folded into a graph, or there are too few examples.
    """
    count = _examples(part, material)
    scheme = Scheme(per_channel=part.weights == "per-channel", ranges=part.ranges)
    return QuantisedFiles(student, material.signature, scheme, partial(material.examples, count), folder)


def _kept(part: Quantise, plan: Plan) -> frozenset[int]:
    return frozenset() if part.keep_float == AUTO else blocks_of(plan, part.keep_float, f"{_WHERE}.keep_float")


def _examples(part: Quantise, material: Material) -> int:
    least = part.examples or _LEAST_EXAMPLES
    if material.available < least:
        help = "say fewer with examples" if part.examples else "leave the stage out"
        raise UserError(
            f"{_WHERE}: a calibration takes {least} examples, and the training split has {material.available}: {help}"
        )
    return part.examples or min(_EXAMPLES, material.available)


STAGES.add("quantise", Stage(part=Quantise, words="integers of 8 bits", price=price, apply=apply, write=write))
