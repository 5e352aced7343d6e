"""Integers of 8 bits: what accelerators of integers run, and what others run in less time and memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, Self

import onnx
from numpy.typing import NDArray
from pydantic import Field, model_validator

from automl_kd.compression.layers import blocks_of, node_prefix
from automl_kd.compression.material import Material
from automl_kd.compression.stage import STAGES, Stage
from automl_kd.core import UserError
from automl_kd.onnxio import NoRangeError, Ranges, Scheme, check_finite, fold, quantise
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule

_LEAST_EXAMPLES = 16
_EXAMPLES = 512
"""Of a calibration, where the recipe does not say."""
_WHERE = "compress quantise"


class Quantise(StagePart):
    """Weights and activations as integers of 8 bits.

    Attributes:
        weights: Whether each output channel of a weight has a scale of its own, or the whole tensor one.
        activations: Whether their ranges have a zero point, or lie around 0 for runtimes that know none.
        ranges: How ranges of activations come from the values of the calibration: smallest and largest, the range of
            least divergence, or what 99.999 % of the values lie in.
        examples: Of the training split, on which ranges are found.
        keep_float: Layers that compute with floats: ``first``, ``last``, stages, blocks.
    """

    stage: Literal["quantise"]
    to: Literal["int8"] = "int8"
    how: Literal["ptq"] = "ptq"
    weights: Literal["per-channel", "per-tensor"] = "per-channel"
    activations: Literal["asymmetric", "symmetric"] = "asymmetric"
    ranges: Ranges = "min-max"
    examples: Annotated[int, Field(ge=_LEAST_EXAMPLES, le=100_000)] | None = None
    keep_float: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _layers_once(self) -> Self:
        twice = next((name for name in self.keep_float if self.keep_float.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"keep_float names {twice} twice; once is right")
        return self

    def kept(self, plan: Plan) -> frozenset[int]:
        """The places of the blocks that compute with floats.

        Raises:
            UserError: If a layer to keep does not exist.
        """
        return blocks_of(plan, self.keep_float, f"{_WHERE}.keep_float")

    def calibration(self, available: int) -> int:
        """On how many examples ranges are found.

        Args:
            available: How many there are.

        Raises:
            UserError: If these are too few.
        """
        least = self.examples or _LEAST_EXAMPLES
        if available < least:
            help = "say fewer with examples" if self.examples else "leave the stage out"
            raise UserError(
                f"{_WHERE}: a calibration takes {least} examples, and the training split has {available}: {help}"
            )
        return self.examples or min(_EXAMPLES, available)


def price(part: Quantise, plan: Plan) -> Plan:
    """The same blocks, of which all but those that are kept compute with integers."""
    kept = part.kept(plan)
    return replace(plan, weight_bytes=1, integers=tuple(at not in kept for at in range(len(plan.blocks))))


def apply(part: Quantise, student: StudentModule) -> StudentModule:
    """A copy with the plan of what ships: it is rounded in the file alone."""
    compressed = copy.deepcopy(student).eval()
    compressed.plan = price(part, student.plan)
    return compressed


def write(part: Quantise, student: StudentModule, material: Material, path: Path) -> None:
    """The file at opset 13, with integers between nodes of quantisation and dequantisation (QDQ).

    Raises:
        UserError: If the student cannot be folded into a graph, a layer to keep does not exist, there are too few
            examples, or what a layer computes of them is not finite.
    """
    count = part.calibration(material.available)
    prefixes = tuple(node_prefix(student.plan.block_names[at]) for at in sorted(part.kept(student.plan)))
    network = fold(student, material.signature.input, material.signature.output.name)
    scheme = Scheme(
        per_channel=part.weights == "per-channel",
        symmetric=part.activations == "symmetric",
        ranges=part.ranges,
        excluded=tuple(node.name for node in network.model.graph.node if prefixes and node.name.startswith(prefixes)),
    )
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "float.onnx"
        onnx.save(network.model, source)
        try:
            quantise(source, path, _arrays(material, count), scheme)
        except NoRangeError:
            check_finite(network.model, _arrays(material, count))  # says where
            raise


def _arrays(material: Material, count: int) -> Iterator[NDArray[Any]]:
    return (batch.numpy() for batch in material.examples(count))


STAGES.add("quantise", Stage(part=Quantise, words="integers of 8 bits", price=price, apply=apply, write=write))
