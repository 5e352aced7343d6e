"""A device that prices networks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import nn

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.graph import Graph, Kind, Shape
from automl_kd.hardware._kernels.lower import Network, lower
from automl_kd.hardware._kernels.read_onnx import read_onnx
from automl_kd.hardware._kernels.trace import trace
from automl_kd.hardware._measurement.local import calibration
from automl_kd.hardware._measurement.measure import Progress
from automl_kd.hardware._plan import Block, Plan
from automl_kd.hardware._predictor.cost import Coefficients, Features, Floats, Integers
from automl_kd.hardware._predictor.prediction import Prediction, Uncertainty
from automl_kd.hardware._schema import ELEMENT_BYTES, ProfileFile, read_profile
from automl_kd.paths import find_yaml, yaml_names

_UNFITTED = math.log(2)  # a datasheet alone ranks networks and is good to about a factor of two

# What a price needs of a block; all but the peak add up over a plan.
_SECONDS, _UNFITTED_SECONDS, _FLOPS, _PARAMETERS, _WEIGHTS, _KERNELS, _UNKNOWN, _PEAK = range(8)


def profile_names() -> tuple[str, ...]:
    """Names that ``load_profile`` knows: the profiles of the project and the user's own."""
    return tuple(yaml_names("hardware_profiles"))


def load_profile(name: str, progress: Progress | None = None) -> Profile:
    """The profile of a device.

    Args:
        name: One of ``profile_names()``, or a path to a YAML file.
        progress: Called with the share done (0 to 1) and a word on it while the device is being calibrated, which
            happens at the first price on a profile that is measured on this machine.

    Raises:
        UserError: If there is no such profile, or its file is wrong.
    """
    path = find_yaml("hardware_profiles", "device", name)
    return Profile(path.stem, read_profile(path), progress)


@dataclass(frozen=True, slots=True)
class _Model:
    """What prices kernels, the kinds it was fitted on, and how far off it is."""

    coefficients: Coefficients
    kinds: frozenset[Kind]
    uncertainty: Uncertainty


@dataclass(frozen=True, slots=True)
class _Row:
    """One traced block: its numbers by column, and the shapes that it takes and gives."""

    numbers: list[float]
    takes: Shape
    gives: Shape


class Profile:
    """Prices networks for one device; keeps the price of every block that it has seen.

    Args:
        name: What users call the device.
        file: Its facts and its fit.
        progress: Told how far a calibration is.
    """

    def __init__(self, name: str, file: ProfileFile, progress: Progress | None = None) -> None:
        self.name = name
        self.file = file
        self._progress = progress
        self._ids: dict[Hashable, int] = {}
        self._rows: list[_Row] = []
        self._table: Floats = np.empty((0, _PEAK + 1))

    @property
    def opset(self) -> int:
        """Newest ONNX opset that the device's runtime reads."""
        return self.file.opset

    @property
    def key(self) -> str:
        """What a latency is only comparable within: device, runtime, precision, batch, threads and power mode."""
        file = self.file
        parts = (file.device, file.runtime, file.runtime_version, file.precision, f"batch {file.batch}")
        return " / ".join((*parts, f"{file.threads} threads", file.power_mode))

    def digest(self) -> str:
        """A hash of everything that decides a price, 16 hexadecimal digits; calibrates where that is still to do."""
        model = self._model
        text = repr((self.key, model.coefficients, sorted(model.kinds), model.uncertainty, self._memory))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def summary(self) -> str:
        """One line: name, runtime, precision, and how far off its predictions are."""
        label = f"{self.name}  {self.file.runtime} {self.file.precision}"
        if self.file.calibrate:
            return f"{label}  measured on this machine at the first use (≤ 30 s)"
        if self.file.fit is None:
            return f"{label}  rank only, ×/÷2"
        model = self._model
        spread = round(100 * (math.exp(model.uncertainty.error) - 1))
        cells = sum(anchor.model.startswith("nas-bench-201") for anchor in self.file.fit.anchors)
        models = f"{len(self.file.fit.anchors) - cells} published models"
        anchors = f"{models} and {cells} NAS-Bench-201 cells" if cells else models
        return f"{label}  ±{spread} % ({anchors}, leave-one-out)"

    def predict(self, target: Plan | nn.Module | str | Path, input_shape: tuple[int, ...] | None = None) -> Prediction:
        """Latency and memory of one network.

        Args:
            target: A plan, a module, or the path of an ONNX file.
            input_shape: ``(C, H, W)`` of one input; needed for a module and for a file that leaves sizes open.

        Raises:
            UserError: If the network does not take the shape, or the file is no ONNX model.
        """
        if isinstance(target, nn.Module | str | Path):
            row = np.array([self._numbers(self.network(target, input_shape))])
            return self._predictions(row, row[:, _PEAK])[0]
        first = target.blocks[0].input_shape if target.blocks else None
        if input_shape is not None and first != input_shape:
            raise UserError(f"the plan takes inputs of shape {first}; got {input_shape}")
        return self.price([target])[0]

    def network(self, target: nn.Module | str | Path, input_shape: tuple[int, ...] | None = None) -> Network:
        """The kernels that the profile's runtime executes for a module or an ONNX file.

        Raises:
            UserError: As ``predict``.
        """
        if isinstance(target, nn.Module):
            if input_shape is None:
                raise UserError("tracing a module needs its input shape (C, H, W)")
            return self._lower(trace(target, input_shape))
        return self._lower(read_onnx(target, input_shape))

    def price(self, plans: Sequence[Plan]) -> list[Prediction]:
        """Latency and memory of many plans; each distinct block is traced once and remembered.

        Raises:
            UserError: If a plan is empty, a block does not take its input shape, or two neighbours do not fit.
        """
        ids = self._ids
        flat: list[int] = []
        starts: list[int] = []
        for plan in plans:
            starts.append(len(flat))
            if not plan.blocks:
                raise UserError("a plan without blocks has no price")
            for block in plan.blocks:
                known = ids.get(block)
                flat.append(self._add(block) if known is None else known)
        if not plans:
            return []
        if len(self._table) != len(self._rows):
            self._table = np.array([row.numbers for row in self._rows])
        index = np.array(flat)
        self._check_chains(index, np.array(starts))
        table = self._table[index]
        sums = np.add.reduceat(table, starts, axis=0)
        peaks = np.maximum.reduceat(table[:, _PEAK], starts)
        return self._predictions(sums, peaks)

    def _predictions(self, sums: Floats, peaks: Floats) -> list[Prediction]:
        model = self._model
        work = sums[:, _SECONDS]
        seconds = model.coefficients.intercept + work
        kernels = np.maximum(sums[:, _KERNELS], 1)
        coverage = 1 - sums[:, _UNKNOWN] / kernels
        unfitted = sums[:, _UNFITTED_SECONDS] / np.maximum(work, 1e-12)
        factor = np.exp(model.uncertainty.half_widths(sums[:, _FLOPS], coverage, unfitted))
        memory = peaks + sums[:, _WEIGHTS]
        missing = np.maximum(0, memory - self._memory)
        ms = np.where(missing > 0, np.inf, seconds * 1e3)
        columns = (ms, ms / factor, ms * factor, coverage)
        counts = (memory, sums[:, _PARAMETERS], sums[:, _FLOPS], missing)
        rows = zip(*(c.tolist() for c in columns), *(c.astype(np.int64).tolist() for c in counts), strict=True)
        return [Prediction(*row) for row in rows]

    def _add(self, block: Block) -> int:
        shape = block.input_shape
        with torch.device("meta"):  # no weights are allocated and no random numbers drawn
            module = block.build()
        network = self._lower(trace(module, shape))
        self._rows.append(_Row(self._numbers(network), tuple(shape), network.output[1:]))
        return self._ids.setdefault(block, len(self._rows) - 1)

    def _lower(self, graph: Graph) -> Network:
        return lower(graph, self.file.runtime, ELEMENT_BYTES[self.file.precision])

    def _numbers(self, network: Network) -> list[float]:
        model = self._model
        features = Features.of(network.kernels)
        seconds = features.kernel_seconds(model.coefficients)
        unfitted = [kernel.kind not in model.kinds for kernel in network.kernels]
        unknown = sum(kernel.kind is Kind.OTHER for kernel in network.kernels)
        return [
            float(seconds.sum()),
            float(seconds[unfitted].sum()),
            network.flops,
            network.parameters,
            network.weights,
            len(network.kernels),
            unknown,
            network.peak,
        ]

    def _check_chains(self, index: Integers, starts: Integers) -> None:
        """Every block must take what the one before returns."""
        codes: dict[Shape, int] = {}
        takes = np.array([codes.setdefault(row.takes, len(codes)) for row in self._rows])
        gives = np.array([codes.setdefault(row.gives, len(codes)) for row in self._rows])
        broken = gives[index[:-1]] != takes[index[1:]]
        broken[starts[1:] - 1] = False  # where one plan ends and the next begins
        if broken.any():
            place = int(np.flatnonzero(broken)[0])
            before, after = self._rows[index[place]], self._rows[index[place + 1]]
            number = place - int(starts[starts <= place][-1])
            raise UserError(
                f"block {number + 1} of a plan takes {after.takes}, but block {number} returns {before.gives}"
            )

    @cached_property
    def _model(self) -> _Model:
        fit = calibration(self.file, self._progress) if self.file.calibrate else self.file.fit
        if fit is None:
            return _Model(self.file.facts.prior(), frozenset(Kind), Uncertainty(_UNFITTED, None))
        errors = [anchor.error for anchor in fit.anchors]
        flops = [anchor.gflops * 1e9 for anchor in fit.anchors]
        return _Model(fit.coefficients, frozenset(fit.kinds), Uncertainty.from_errors(errors, flops))

    @cached_property
    def _memory(self) -> float:
        fact = self.file.facts.memory_gb
        return float(psutil.virtual_memory().total) if fact is None else fact.value * 1e9
