"""Integers of 8 bits: what accelerators of integers run, and what others run in less time and memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, Self

import onnx
import torch
from pydantic import Field, model_validator

from automl_kd.compression.layers import blocks_of, nodes_of
from automl_kd.compression.material import Material
from automl_kd.compression.quantised_files import QuantisedFiles
from automl_kd.compression.stage import STAGES, Stage, Training
from automl_kd.compression.training import (
    Quantised,
    QuantisedStudent,
    as_if_trained,
    calibrated,
    check_same,
    check_trainable,
)
from automl_kd.core import Range, UserError, first_line, percent
from automl_kd.onnxio import FoldedNetwork, Network, Ranges, Scheme, Session, fold, load_model, store_integers
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule, label_units

_LEAST_EXAMPLES = 16
_EXAMPLES = 512
"""Of a calibration, where the recipe does not say."""
_SHARE = 0.3
"""Of a run that is trained with integers, where the recipe does not say."""
_WHERE = "compress quantise"
AUTO = "auto"
"""Of ``keep_float``: to be decided."""


class Quantise(StagePart):
    """Weights and activations as integers of 8 bits, or weights alone.

    Attributes:
        to: What: ``int8`` computes with integers, ``int8-weights`` stores them and computes with floats.
        how: After training (``ptq``), or in training (``qat``): the end of the run is then trained with values rounded
            as the integers will be, by the same losses and the same teacher.
        share: Of the run that is trained so, at its end.
        weights: Whether each output channel of a weight has a scale of its own, or the whole tensor one.
        activations: Whether their ranges have a zero point, or lie around 0 for runtimes that know none.
        ranges: How ranges of activations come from the values of the calibration: smallest and largest, the range of
            least divergence, or what 99.999 % of the values lie in.
        examples: Of the training split, on which ranges are found.
        keep_float: Layers that compute with floats: ``first``, ``last``, stages, blocks; or ``auto`` where those are to
            be decided under a limit once the student is trained, until when none is.
    """

    stage: Literal["quantise"]
    to: Literal["int8", "int8-weights"] = "int8"
    how: Literal["ptq", "qat"] = "ptq"
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    weights: Literal["per-channel", "per-tensor"] = "per-channel"
    activations: Literal["asymmetric", "symmetric"] = "asymmetric"
    ranges: Ranges = "min-max"
    examples: Annotated[int, Field(ge=_LEAST_EXAMPLES, le=100_000)] | None = None
    keep_float: tuple[str, ...] | Literal["auto"] = ()

    @property
    def form(self) -> str:
        """The precision."""
        return self.to

    @model_validator(mode="before")
    @classmethod
    def _share_of_training(cls, data: Any) -> Any:
        """A share says nothing where the run is not trained so, as where a search chooses between the two."""
        if not isinstance(data, dict) or data.get("share") is None:
            return data
        if "how" not in data:
            raise ValueError("share is of a run that is trained with integers, and how is ptq: say how: qat")
        return {name: value for name, value in data.items() if name != "share"} if data["how"] == "ptq" else data

    @model_validator(mode="after")
    def _layers_once(self) -> Self:
        if self.keep_float == AUTO:
            return self
        twice = next((name for name in self.keep_float if self.keep_float.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"keep_float names {twice} twice; once is right")
        return self

    @model_validator(mode="after")
    def _weights_alone(self) -> Self:
        if self.to == "int8-weights":
            if self.keep_float == AUTO:
                raise ValueError("to: int8-weights computes with floats everywhere: leave keep_float: auto out")
            if self.keep_float:
                raise ValueError("to: int8-weights stores all weights in integers: leave keep_float out")
            if self.how == "qat":
                raise ValueError("to: int8-weights rounds weights alone, after training: leave how: qat out")
            if self.examples is not None or self.ranges != "min-max" or self.activations != "asymmetric":
                raise ValueError("to: int8-weights has no ranges to find: leave ranges, activations and examples out")
        return self

    @model_validator(mode="after")
    def _decided_before_training(self) -> Self:
        if self.keep_float == AUTO and self.how == "qat":
            raise ValueError(
                "keep_float: auto is decided on the trained student, too late for how: qat: name the layers"
            )
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The layers to keep by name; none as long as they are to be decided."""
        return () if isinstance(self.keep_float, str) else self.keep_float

    def kept(self, plan: Plan) -> frozenset[int]:
        """The places of the blocks that compute with floats; none as long as that is to be decided.

        Raises:
            UserError: If a layer to keep does not exist.
        """
        return blocks_of(plan, self.named, f"{_WHERE}.keep_float")

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


def words(part: Quantise) -> str:
    """What it does, by which scheme, and where the ranges come from."""
    weights = f"a scale for every {'output channel' if part.weights == 'per-channel' else 'tensor'}"
    if part.to == "int8-weights":
        return f"weights as integers of 8 bits, ptq: after training, with {weights}; it computes with floats"
    trained = share(part)
    when = f"qat: in the last {percent(trained)} of training" if trained else "ptq: after training"
    count = part.examples or f"up to {_EXAMPLES}"
    return (
        f"integers of 8 bits, {when}; weights with {weights}, activations {part.activations}, ranges by {part.ranges}"
        f" of {count} training examples{', learned from there' if trained else ''}"
    )


def price(part: Quantise, plan: Plan) -> Plan:
    """The same blocks, of which all but those that are kept compute with integers."""
    kept = part.kept(plan)
    if part.to == "int8-weights":
        return replace(plan, weight_bytes=1)
    integers = tuple(at not in kept for at in range(len(plan.blocks)))
    return replace(plan, weight_bytes=1, integers=integers, per_channel=part.weights == "per-channel")


def apply(part: Quantise, student: StudentModule) -> StudentModule:
    """A copy with the plan of what ships: it is rounded in the file alone."""
    compressed = copy.deepcopy(student).eval()
    compressed.plan = price(part, student.plan)
    return compressed


def write(part: Quantise, student: StudentModule, material: Material, path: Path) -> None:
    """The file at opset 13, with integers between nodes of quantisation and dequantisation (QDQ).

    Ranges that the student has learned are used as they are, others are found.

    Raises:
        UserError: If the student cannot be folded into a graph, a layer to keep does not exist, there are too few
            examples, or what a layer computes of them is not finite.
    """
    _write(part, student, _folded(student, material), material, student.ranges, path)


def share(part: Quantise) -> float:
    """Of a run that is trained with integers, at its end."""
    return 0.0 if part.how == "ptq" else part.share or _SHARE


def check(part: Quantise, student: StudentModule, material: Material, paths: Sequence[str]) -> None:
    """Write a student's file, by ranges of noise, and compute it once, as it will be trained where it will be.

    Raises:
        UserError: If there is no such file, or it cannot be computed or trained; or there are not enough examples.
    """
    part.kept(student.plan)
    part.calibration(material.available)
    evaluated, takes = as_if_trained(student), material.signature.input
    noise = takes.noise(_LEAST_EXAMPLES, torch.Generator().manual_seed(0))
    few = replace(material, available=_LEAST_EXAMPLES, examples=lambda count: iter([noise]))
    folded = _folded(evaluated, material)
    with TemporaryDirectory() as scratch:
        floats, path = Path(scratch) / "floats.onnx", Path(scratch) / "student.onnx"
        onnx.save(folded.model, floats)
        check_same(evaluated, floats, noise)
        quick = part.model_copy(update={"ranges": "min-max", "examples": None})
        try:
            _write(quick, evaluated, folded, few, {}, path)
            Session(path).run(noise.numpy())
        except UserError:
            raise
        except Exception as error:  # the quantiser fails as it likes
            raise UserError(f"{_WHERE}: {first_line(error)}") from error
        if share(part):
            network = Network(load_model(path), folded.derived)
            check_trainable(Quantised(evaluated, folded, network), noise, paths)


def begin(
    part: Quantise, student: StudentModule, material: Material, paths: Sequence[str], state: Mapping[str, Any] | None
) -> QuantisedStudent:
    """The student with values rounded where its file rounds them, by ranges as they are calibrated now."""
    known = {} if state is None else calibrated(state)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "student.onnx"
        folded = _folded(student, material)
        _write(part, student, folded, material, known, path)
        network = Network(load_model(path), folded.derived)
    form = QuantisedStudent(Quantised(student, folded, network), paths)
    if state is not None:
        form.load_state_dict(state)
    return form


def _write(
    part: Quantise,
    student: StudentModule,
    folded: FoldedNetwork,
    material: Material,
    known: Mapping[str, Range],
    path: Path,
) -> None:
    kept = part.kept(student.plan)
    if part.to == "int8-weights":
        excluded = nodes_of(folded.model, student.plan, kept)
        store_integers(folded.model, path, per_channel=part.weights == "per-channel", excluded=excluded)
        return
    with TemporaryDirectory() as scratch:
        _files(part, student, folded, material, known, Path(scratch)).write(kept, path)


def files_of(part: Quantise, student: StudentModule, material: Material, folder: Path) -> QuantisedFiles:
    """The student's files with any layers kept in floats; what the part keeps does not count.

    Raises:
        UserError: If the student cannot be folded into a graph, or there are too few examples.
    """
    return _files(part, student, _folded(student, material), material, student.ranges, folder)


def _files(
    part: Quantise,
    student: StudentModule,
    folded: FoldedNetwork,
    material: Material,
    known: Mapping[str, Range],
    folder: Path,
) -> QuantisedFiles:
    scheme = Scheme(
        per_channel=part.weights == "per-channel",
        symmetric=part.activations == "symmetric",
        ranges=part.ranges,
        excluded=folded.floats,
        known=known,
    )
    # Where every range is known nothing is found, but a few examples are asked for.
    count = _LEAST_EXAMPLES if known else part.calibration(material.available)
    return QuantisedFiles(folded.model, student.plan, scheme, partial(material.examples, count), folder)


def _folded(student: StudentModule, material: Material) -> FoldedNetwork:
    """The graph, in which units of labels stand apart: integers would count in steps of them from 0."""
    signature, units = material.signature, label_units(student)
    return fold(student, signature.input, signature.output.name, apart=units)


STAGES.add(
    "quantise",
    Stage(
        part=Quantise,
        words=words,
        price=price,
        apply=apply,
        write=write,
        training=Training(share=share, check=check, begin=begin),
    ),
)
