"""A device that prices networks."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from torch import nn

from automl_kd.core import UserError, find_yaml, unknown, yaml_names
from automl_kd.hardware.blocks import BlockTable
from automl_kd.hardware.calibration import LEAST_NETWORKS, MeasuredNetwork, Start, choose
from automl_kd.hardware.evidence import Accuracy, MeasuredNetworks, holders, median_error
from automl_kd.hardware.explanation import Explanation, explain
from automl_kd.hardware.kernels.graph import Graph, Kind
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.measurement.kit_script import RUNTIMES
from automl_kd.hardware.measurement.local import calibration
from automl_kd.hardware.measurement.measure import Progress
from automl_kd.hardware.plan import Plan
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats, kinds_of
from automl_kd.hardware.predictor.fit import Measured, fit
from automl_kd.hardware.predictor.misfit import PUBLISHED
from automl_kd.hardware.predictor.posterior import Evidence, Posterior
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.predictor.prior import UNMEASURED, Prior
from automl_kd.hardware.predictor.residual import Correction, left_out_corrections, residual_features
from automl_kd.hardware.schema import (
    Anchor,
    Doubt,
    Fit,
    Precision,
    ProfileFile,
    Residual,
    Target,
    read_profile,
    write_profile,
)
from automl_kd.hardware.target import OWN_MISFIT, features_of, kernels_of, spread_of

_UNMEASURED = math.log(1.5)  # what kernels of integers gain over floats was measured on another machine
_LEAST_COVERAGE = 0.05

# What a price needs of a block besides its seconds by limit and kind, which come first; all of it adds up over a plan.
_K = len(KINDS)
_LIMITED = 3 * _K
_FLOPS, _PARAMETERS, _WEIGHTS, _KERNELS, _UNKNOWN, _INTEGER, _UNEVEN = range(_LIMITED, _LIMITED + 7)
_SIGNS = np.repeat((-1.0, -1.0, 1.0), _K)  # more throughput and bandwidth is less time, a longer launch more


def profile_names() -> tuple[str, ...]:
    """Names that ``load_profile`` knows: the profiles of the project and the user's own."""
    return tuple(yaml_names("hardware_profiles"))


def load_profile(name: str, progress: Progress | None = None) -> Profile:
    """The profile of a device.

    Args:
        name: One of ``profile_names()`` or a path to a YAML file; ``:`` and a target select another than the default,
            as in ``jetson-nano:ncnn-vulkan``.
        progress: Called with the share done (0 to 1) and a word on it while the device is being calibrated, which
            happens at the first price on a profile that is measured on this machine.

    Raises:
        UserError: If there is no such profile or target, or the file is wrong.
    """
    device, colon, target = name.rpartition(":")
    if not colon or os.sep in target:
        device, target = name, ""
    path = find_yaml("hardware_profiles", "device", device)
    file = read_profile(path)
    if colon and device != name and target not in file.targets:
        asked = target.rpartition("-")[2]
        if asked in get_args(Precision) and asked not in (has := {each.precision for each in file.targets.values()}):
            raise UserError(
                f"{path.stem} has no target in {asked}; it has {', '.join(sorted(has))}: {', '.join(file.targets)}"
            )
        raise unknown(f"target of {path.stem}", target, file.targets)
    return Profile(path.stem, file, target or None, progress)


@dataclass(frozen=True, slots=True)
class _Model:
    """What prices kernels, the kinds it was fitted on, and how far off it is."""

    coefficients: Coefficients
    kinds: frozenset[Kind]
    posterior: Posterior
    correction: Correction | None


class Profile:
    """Prices networks for one target of a device; keeps the price of every block that it has seen.

    Args:
        name: What users call the device.
        file: Its facts and its fits.
        target: One of the file's targets, None for its default.
        progress: Told how far a calibration is.
    """

    def __init__(
        self, name: str, file: ProfileFile, target: str | None = None, progress: Progress | None = None
    ) -> None:
        self.file = file
        key = target or file.default
        self.target: Target = file.targets[key]
        if self.target.this_machine and self.target.runtime == "onnxruntime":
            self.target = self.target.model_copy(update={"facts": self.target.facts.on_this_machine()})
        self._key = key
        self.name = name if target in (None, file.default) else f"{name}:{target}"
        self._progress = progress
        self._blocks = BlockTable(self._lower, self._numbers)

    @property
    def opset(self) -> int:
        """Newest ONNX opset that the device's runtime reads."""
        return self.target.opset

    @property
    def measurable(self) -> bool:
        """Whether networks can be measured here, on the target itself."""
        return self.target.this_machine and self.target.runtime == "onnxruntime"

    @property
    def key(self) -> str:
        """What a latency is only comparable within: device, runtime, precision, batch, threads and power mode."""
        target = self.target
        parts = (self.file.device, target.runtime, target.runtime_version, target.precision, f"batch {target.batch}")
        return " / ".join((*parts, f"{target.threads} threads", target.power_mode))

    @property
    def coefficients(self) -> Coefficients:
        """What prices kernels; calibrates where that is still to do."""
        return self._model.coefficients

    @property
    def errors(self) -> tuple[float, ...]:
        """``log(measured / predicted)`` of every anchor when it was left out of the fit; empty without a fit."""
        return () if self._fit is None else tuple(anchor.error for anchor in self._fit.anchors)

    @property
    def ranks_only(self) -> bool:
        """Whether no network was measured on the target, so that its prices put networks in order and are no times."""
        return not self.target.this_machine and (self.target.fit is None or not self.target.fit.anchors)

    @property
    def notes(self) -> tuple[str, ...]:
        """What all prices of the target rest on, a sentence each."""
        if not self.ranks_only:
            return ()
        kit = f": automl-kd hw kit --hw {self.name}" if self.target.runtime in RUNTIMES else ""
        return (f"no network was measured on {self.name}: a ranking, not a time, until calibrated{kit}",)

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """The measured networks that prices rest on; empty without a fit."""
        return () if self._fit is None else self._fit.anchors

    def digest(self) -> str:
        """A hash of everything that decides a price, 16 hexadecimal digits; calibrates where that is still to do."""
        known = self.target.prior if self._fit is None else self._fit.model_dump_json()
        text = repr((self.key, self.target.rules, known, self._limits))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def accuracy(self) -> Accuracy:
        """How far off predictions are, and on what networks; measures nothing."""
        fitted = self.target.fit
        if self.target.this_machine and fitted is None:
            return Accuracy("first use", None, None, None, MeasuredNetworks(), ())
        anchors = () if fitted is None else fitted.anchors
        interval = math.exp(self._model.posterior.typical)
        if not anchors:
            return Accuracy("datasheet", None, None, interval, MeasuredNetworks(), ())
        kinds = tuple(kind for kind, count in self.holders().items() if count)
        unlike = [anchor.unlike_error for anchor in anchors if anchor.unlike_ms is not None]
        families = median_error(unlike) if unlike else None
        return Accuracy("networks", median_error(self.errors), families, interval, MeasuredNetworks.of(anchors), kinds)

    def holders(self) -> dict[Kind, int]:
        """How many measured networks spend a noteworthy share of their time in a kind, in the order of ``Kind``."""
        anchors = () if self._fit is None else self._fit.anchors
        return {kind: holders(anchors, kind) for kind in KINDS}

    def predict(
        self,
        target: Plan | nn.Module | str | Path,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Prediction:
        """Latency and memory of one network.

        Args:
            target: A plan, a module, or the path of an ONNX file.
            input_shape: ``(C, H, W)`` of one input; needed for a module and for a file that leaves sizes open.
            inputs: Whole shapes, batch and sequence included, by the name of the input: of a file, or a parameter of
                a module's ``forward``.

        Raises:
            UserError: If the network does not take the shape, or the file is no ONNX model.
        """
        if isinstance(target, nn.Module | str | Path):
            return self._price_of(self.network(target, input_shape, inputs))
        self._check_input(target, input_shape)
        return replace(self.price([target])[0], notes=self.notes)

    def explain(
        self,
        target: Plan | nn.Module | str | Path,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Explanation:
        """What ``predict`` says, and where it comes from.

        Args:
            target: As of ``predict``, like the rest.
            input_shape: Of one input.
            inputs: Whole shapes.

        Raises:
            UserError: As ``predict``.
        """
        network = Network.joined([self._lower(graph) for graph in self.graphs(target, input_shape, inputs)])
        streaming = float(self._limits.streaming_seconds(network.weights))
        features, coefficients = self._features(network), self._model.coefficients
        price = self._price_of(network) if isinstance(target, nn.Module | str | Path) else self.price([target])[0]
        return explain(price, network, features, coefficients, streaming, self.holders(), self._model.posterior)

    def network(
        self,
        target: nn.Module | str | Path,
        input_shape: tuple[int, ...] | None = None,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Network:
        """The kernels that the target's runtime executes for a module or an ONNX file.

        Raises:
            UserError: As ``predict``.
        """
        (graph,) = self.graphs(target, input_shape, inputs)
        return self._lower(graph)

    def price(self, plans: Sequence[Plan]) -> list[Prediction]:
        """Latency and memory of many plans; each distinct block is traced once and remembered.

        Raises:
            UserError: If a plan is empty, a block does not take its input shape, or two neighbours do not fit.
        """
        return self._predictions(*self._blocks.gather(plans)) if plans else []

    def seconds_by_kind(self, plans: Sequence[Plan]) -> Floats:
        """Predicted seconds of the kernels of plans, by kind, (N, K)."""
        sums, _ = self._blocks.gather(plans)
        return _kind_sums(sums)

    def extrapolated(self, plans: Sequence[Plan]) -> dict[Kind, float]:
        """Mean shares of the time of plans in kinds that no measured network holds, dearest first."""
        by_kind = self.seconds_by_kind(plans)
        shares = (by_kind / (by_kind.sum(axis=1) + self.coefficients.intercept)[:, None]).mean(axis=0)
        found = {
            kind: share
            for (kind, count), share in zip(self.holders().items(), shares.tolist(), strict=True)
            if share and not count
        }
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def graphs(
        self,
        target: Plan | nn.Module | str | Path,
        input_shape: tuple[int, ...] | None = None,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> tuple[Graph, ...]:
        """A network before any runtime saw it: one graph, or of a plan one a block.

        Raises:
            UserError: As ``predict``.
        """
        if isinstance(target, nn.Module):
            if input_shape is None and not inputs:
                raise UserError("tracing a module needs its input shape (C, H, W)")
            return (trace(target, input_shape, inputs),)
        if isinstance(target, str | Path):
            return (read_onnx(target, input_shape, inputs),)
        self._check_input(target, input_shape)
        return tuple(self._blocks.graphs(target))

    def calibrate(
        self,
        pairs: Sequence[tuple[Plan | nn.Module | str | Path, float]],
        input_shape: tuple[int, ...] | None = None,
        *,
        name: str | None = None,
        source: str = "measured",
    ) -> Profile:
        """A profile refitted on networks that were measured on a device.

        Args:
            pairs: Networks and their latencies in milliseconds.
            input_shape: ``(C, H, W)`` of modules and of files that leave sizes open.
            name: Of the new profile, by default this one's.
            source: Where the measurements come from, for the anchors.

        Raises:
            UserError: As :meth:`calibrated`.
        """
        measured = [
            MeasuredNetwork(_name_of(target, number), self.graphs(target, input_shape), ms)
            for number, (target, ms) in enumerate(pairs, 1)
        ]
        return self.calibrated(measured, name=name, source=source)

    def calibrated(
        self,
        measured: Sequence[MeasuredNetwork],
        *,
        name: str | None = None,
        source: str = "measured",
        runtime_version: str | None = None,
    ) -> Profile:
        """A profile refitted on networks that were measured on a device, under the rules that explain them best.

        What this profile knows becomes the prior, so that a handful helps, and its own measured networks keep counting
        where the device is about as they say; from 20 networks on a boosted correction of the kernel sum is added where
        it helps on networks left out.

        Args:
            measured: Networks with their latencies.
            name: Of the new profile, by default this one's.
            source: Where the measurements come from, for the anchors.
            runtime_version: That they were measured under, by default this target's.

        Raises:
            UserError: If there are too few, a time is no positive number, or no rules explain the times.
        """
        if len(measured) < LEAST_NETWORKS:
            raise UserError(f"{len(measured)} measured networks; a calibration needs at least {LEAST_NETWORKS}")
        for number, each in enumerate(measured, 1):
            if not (math.isfinite(each.ms) and each.ms > 0):
                raise UserError(f"pair {number}: the time is {each.ms}; a latency is a positive number of milliseconds")
        choice = choose(self.target, self.coefficients, self._fit, self._limits, measured)
        only = {"default": self._key, "targets": {self._key: choice.target}}
        ruled = Profile(self.name.partition(":")[0], self.file.model_copy(update=only))
        times, names = [each.ms for each in measured], [each.name for each in measured]
        fitted = ruled.refit(choice.networks, times, names, source, choice.start)
        return ruled.with_fit(fitted, name, runtime_version)

    def with_fit(self, fitted: Fit | None, name: str | None = None, runtime_version: str | None = None) -> Profile:
        """A profile of this target alone: what was measured, and nothing that was not.

        Args:
            fitted: Its fit, None for the datasheet alone.
            name: Of the new profile, by default this device's.
            runtime_version: That it was measured under, by default this target's.
        """
        update = {"fit": fitted, "runtime_version": runtime_version or self.target.runtime_version}
        targets = {self._key: self.target.model_copy(update=update)}
        return Profile(
            name or self.name.partition(":")[0], self.file.model_copy(update={"default": self._key, "targets": targets})
        )

    def refit(
        self,
        networks: Sequence[Network],
        ms: Sequence[float],
        names: Sequence[str],
        source: str,
        start: Start | None = None,
    ) -> Fit:
        """The fit on measured networks.

        Args:
            networks: N networks as kernels of this target.
            ms: Their latencies in milliseconds.
            names: What to call them.
            source: Where the measurements come from.
            start: What is known before, by default this profile's coefficients alone.
        """
        features = [self._features(network) for network in networks]
        streamed = [float(self._limits.streaming_seconds(network.weights)) for network in networks]
        flops = [float(max(network.flops, 1)) for network in networks]
        if start is None:
            spread = spread_of(self.target)
            prior = Prior(self._model.coefficients, spread.covariance())
            start = Start(prior, OWN_MISFIT, Doubt.of(spread, OWN_MISFIT))
        found = fit(Measured(features, [1e-3 * each for each in ms], flops, streamed), start.prior, start.misfit)
        table = residual_features(
            np.stack([each.seconds_by_kind(found.coefficients) for each in features]),
            np.array([float(len(network.kernels)) for network in networks]),
        )
        corrections = left_out_corrections(table, found.errors)
        errors = found.errors if corrections is None else (np.array(found.errors) - corrections).tolist()
        anchors = [
            Anchor(
                model=name,
                input=network.input[1:],
                gflops=size / 1e9,
                ms=each,
                fitted_ms=each / math.exp(residual),
                left_out_ms=each / math.exp(error),
                source=source,
                time=Anchor.time_of(sensitivities),
                intercept=float(sensitivities[-1]),
            )
            for name, network, size, each, residual, error, sensitivities in zip(
                names, networks, flops, ms, found.residuals.tolist(), errors, found.sensitivities, strict=True
            )
        ]
        moved = found.coefficients.pack() - start.prior.centre.pack()
        anchors = [*(anchor.moved(moved) for anchor in start.anchors), *anchors]
        kinds = kinds_of(features) | self._model.kinds
        if corrections is None:
            return Fit.of(found.coefficients, kinds, start.doubt, anchors)
        rows = tuple(tuple(float(f"{value:.5g}") for value in row) for row in table)
        residual = Residual(features=rows, errors=found.errors)
        return Fit.of(found.coefficients, kinds, start.doubt, anchors, residual)

    def save(self, path: str | Path) -> None:
        """Write the profile as YAML, for ``load_profile`` to read."""
        write_profile(Path(path), self.file)

    def _check_input(self, plan: Plan, input_shape: tuple[int, ...] | None) -> None:
        first = plan.blocks[0].input_shape if plan.blocks else None
        if input_shape is not None and first != input_shape:
            raise UserError(f"the plan takes inputs of shape {first}; got {input_shape}")

    def _price_of(self, network: Network) -> Prediction:
        price = self._predictions(self._numbers(network)[None], np.array([network.peak]))[0]
        return replace(price, notes=self._notes(network))

    def _predictions(self, sums: Floats, peaks: Floats) -> list[Prediction]:
        model = self._model
        by_kind, kernels = _kind_sums(sums), np.maximum(sums[:, _KERNELS], 1)
        work = by_kind.sum(axis=1)
        streamed = self._limits.streaming_seconds(sums[:, _WEIGHTS])
        summed = model.coefficients.intercept + work
        total = (summed + streamed)[:, None]
        shares = np.hstack([_SIGNS * sums[:, :_LIMITED], np.full_like(total, model.coefficients.intercept)]) / total
        shift, width = model.posterior.assess(shares, sums[:, _FLOPS])
        if model.correction is not None:
            # No more than the errors that it was learned from, and the interval holds the sum that it corrects.
            most = model.posterior.typical
            shift = shift + np.clip(model.correction(residual_features(by_kind, kernels)), -most, most)
        seconds = (summed + streamed) * np.exp(shift)
        # The interval reaches down to what slightly wider layers cost, where those fill a runtime's blocks.
        least = np.minimum(seconds, summed + streamed) * (1 - sums[:, _UNEVEN] / (summed + streamed))
        coverage = 1 - sums[:, _UNKNOWN] / kernels
        integer = sums[:, _INTEGER] / np.maximum(work, 1e-12)
        # A kernel that is not known may cost several that are.
        factor = np.exp(width + _UNMEASURED * integer - 2 * np.log(np.maximum(coverage, _LEAST_COVERAGE)))
        missing = self._limits.missing(peaks, sums[:, _WEIGHTS])
        ms = np.where(missing > 0, np.inf, seconds * 1e3)
        columns = (ms, np.where(missing > 0, np.inf, least * 1e3) / factor, ms * factor, coverage)
        counts = (peaks + sums[:, _WEIGHTS], sums[:, _PARAMETERS], sums[:, _FLOPS], missing)
        power = self.target.facts.power_w
        energy = [None] * len(ms) if power is None else (ms * power.value).tolist()
        rows = zip(*(c.tolist() for c in columns), *(c.astype(np.int64).tolist() for c in counts), energy, strict=True)
        return [Prediction(*row) for row in rows]

    def _lower(self, graph: Graph) -> Network:
        return kernels_of(self.target, graph)

    def _features(self, network: Network) -> Features:
        return features_of(self.target, network)

    def _numbers(self, network: Network) -> Floats:
        unknown_kernels = sum(kernel.kind is Kind.OTHER for kernel in network.kernels)
        features, coefficients = self._features(network), self._model.coefficients
        integer = np.array([kernel.speed is not None for kernel in network.kernels], dtype=np.float64)
        seconds = float(features.kernel_seconds(coefficients) @ integer)
        limited = features.limited_by_kind(coefficients).ravel()
        uneven = 0.0
        if network.even:
            even = self._features(replace(network, kernels=network.even)).seconds_by_kind(coefficients)
            uneven = max(0.0, float(limited.sum() - even.sum()))
        counts = (network.flops, network.parameters, network.weights, len(network.kernels), unknown_kernels)
        return np.array([*limited, *counts, seconds, uneven])

    def _notes(self, network: Network) -> tuple[str, ...]:
        """What a price rests on beside the fit."""
        unknown = [f"unknown operators are priced by what they move: {', '.join(network.unknown)}"]
        return (*self.notes, *network.notes, *(unknown if network.unknown else ()))

    @cached_property
    def _fit(self) -> Fit | None:
        if self.target.fit is not None or not self.target.this_machine:
            return self.target.fit
        return calibration(self.file.device, self.target, self._progress)

    @cached_property
    def _model(self) -> _Model:
        fitted, prior = self._fit, self.target.prior
        if fitted is None:
            return _Model(prior, frozenset(), Posterior(UNMEASURED, PUBLISHED, Evidence.none()), None)
        correction = None
        if fitted.residual is not None:
            correction = Correction(np.array(fitted.residual.features), np.array(fitted.residual.errors))
        return _Model(fitted.coefficients(prior), frozenset(fitted.kinds), fitted.posterior(), correction)

    @cached_property
    def _limits(self) -> Limits:
        return Limits.of(self.file.memory, self.target.memory_here)


def _name_of(target: Plan | nn.Module | str | Path, number: int) -> str:
    return Path(target).stem if isinstance(target, str | Path) else f"network {number}"


def _kind_sums(sums: Floats) -> Floats:
    """Seconds by kind from seconds by limit and kind, (N, K)."""
    found: Floats = sums[:, :_K] + sums[:, _K : 2 * _K] + sums[:, 2 * _K : _LIMITED]
    return found
