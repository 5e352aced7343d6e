"""A target of a device: prices networks, says what its prices rest on, and is refitted on measurements."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import nn

from automl_kd.core import UserError
from automl_kd.hardware.blocks import TracedBlocks
from automl_kd.hardware.calibration import LEAST_NETWORKS, MeasuredNetwork, Start, choose
from automl_kd.hardware.datasheet import Precision
from automl_kd.hardware.explanation import Explanation, explain
from automl_kd.hardware.fit_section import Fit, ReferenceNetwork
from automl_kd.hardware.kernels.graph import Graph, Kind
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.latency_error import LatencyError, NetworkCounts, holders, median_error
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.measurement.kit_script import RUNTIMES
from automl_kd.hardware.measurement.latency import Progress
from automl_kd.hardware.measurement.local import cached, calibration
from automl_kd.hardware.plan import FLOAT32, Plan
from automl_kd.hardware.plan_prices import PlanPrices
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Floats
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.price_model import PriceModel
from automl_kd.hardware.profile_file import ProfileFile, Target, write_profile
from automl_kd.hardware.quantised_form import QuantisedForm, Unfit, computes, unfit
from automl_kd.hardware.refit import refit
from automl_kd.hardware.target import kernels_of

Priced = Plan | nn.Module | str | Path
"""What has a price: a plan, a module, or the path of an ONNX file."""


class Profile:
    """Prices networks for one target of a device; keeps the price of every block that it has seen.

    Args:
        name: What users call the device.
        file: Its facts and its fits.
        target: Name of one of the file's targets, None for its default.
        progress: Told how far a calibration is.
        beside: Another profile that prices the same plans, so that each block of them is traced once for both.
    """

    def __init__(
        self,
        name: str,
        file: ProfileFile,
        target: str | None = None,
        progress: Progress | None = None,
        beside: Profile | None = None,
    ) -> None:
        self.file = file
        key = target or file.default
        self.target: Target = file.targets[key]
        if self.target.this_machine and self.target.runtime == "onnxruntime":
            self.target = self.target.model_copy(update={"facts": self.target.facts.on_this_machine()})
        self._key = key
        self._device = name
        self.name = self._named(key)
        self._progress = progress
        self._traced: TracedBlocks = TracedBlocks() if beside is None else beside._traced
        self._plans = PlanPrices(self.name, self.target, self._traced, self, lambda: self._beside_in_floats)

    @property
    def opset(self) -> int:
        """Newest ONNX opset that the device's runtime reads."""
        return self.target.opset

    @property
    def in_floats(self) -> str | None:
        """What users call a target of the device that computes with floats, of the same runtime where there is one."""
        return self._other("fp16", "fp32")

    @property
    def in_integers(self) -> str | None:
        """What users call a target of the device that computes with integers of 8 bits, as :attr:`in_floats`."""
        return self._other("int8")

    @property
    def computes(self) -> str:
        """In what the target computes, for people."""
        return computes(self.name, self.target)

    @property
    def measurable(self) -> bool:
        """Whether networks can be measured here, on the target itself."""
        return self.target.this_machine and self.target.runtime == "onnxruntime"

    @property
    def ready(self) -> bool:
        """Whether it prices without measuring first; ``local`` does once this machine is calibrated."""
        measured = self.target.this_machine and self.target.fit is None
        return not measured or cached(self.file.device, self.target, "json").is_file()

    def _other(self, *precisions: Precision) -> str | None:
        others = {name: each for name, each in self.file.targets.items() if each.precision in precisions}
        near = [name for name, each in others.items() if each.runtime == self.target.runtime]
        return next((self._named(name) for name in (*near, *others)), None)

    def _named(self, target: str) -> str:
        return self._device if target == self.file.default else f"{self._device}:{target}"

    @property
    def key(self) -> str:
        """What a latency is only comparable within: device, runtime, precision, batch, threads and power mode."""
        target = self.target
        parts = (self.file.device, target.runtime, target.runtime_version, target.precision, f"batch {target.batch}")
        return " / ".join((*parts, f"{target.threads} threads", target.power_mode))

    @property
    def coefficients(self) -> Coefficients:
        """What prices kernels; calibrates where that is still to do."""
        return self.model.coefficients

    @property
    def references(self) -> tuple[ReferenceNetwork, ...]:
        """The measured networks that prices rest on; empty without a fit."""
        return () if self._fit is None else self._fit.references

    @property
    def errors(self) -> tuple[float, ...]:
        """``log(measured / predicted)`` of every measured network by the fit without it; empty without a fit."""
        return tuple(reference.error for reference in self.references)

    @property
    def ranks_only(self) -> bool:
        """Whether no network was measured on the target, so that its prices put networks in order and are no times."""
        return not self.target.this_machine and (self.target.fit is None or not self.target.fit.references)

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings that hold for all prices of the target, a sentence each."""
        if not self.ranks_only:
            return ()
        kit = f": automl-kd hw kit --hw {self.name}" if self.target.runtime in RUNTIMES else ""
        return (f"no network was measured on {self.name}: a ranking, not a time, until calibrated{kit}",)

    def digest(self) -> str:
        """A hash of everything that decides a price, 16 hexadecimal digits; calibrates where that is still to do."""
        known = self.target.prior if self._fit is None else self._fit.model_dump_json()
        energy = self.target.facts.energy
        text = repr((self.key, self.target.rules, known, self.limits, *(() if energy is None else (energy,))))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def objective_refusal(self, objective: str) -> str | None:
        """Why a search cannot have an objective on this target, in one line; None where it can.

        Args:
            objective: ``latency``, ``memory``, ``energy`` or ``size``.
        """
        facts = self.target.facts
        if objective != "energy" or facts.energy is not None:
            return None
        if facts.power_w is None:
            return f"{self.name}: nothing is known of its energy; facts.energy in its profile would say it"
        return (
            f"{self.name}: its energy is latency times {facts.power_w.value:g} W, so it would be no objective of its"
            " own; minimise latency, or say in facts.energy of its profile what operations and bytes cost"
        )

    def unfit(self, form: QuantisedForm) -> Unfit | None:
        """Why the target does not run a network that is quantised so; None where it does."""
        return unfit(form, self.name, self.target)

    def latency_error(self) -> LatencyError:
        """How far off predicted latencies are, and on what networks; measures nothing."""
        fitted = self.target.fit
        if self.target.this_machine and fitted is None:
            return LatencyError("first use", None, None, None, NetworkCounts(), ())
        references = () if fitted is None else fitted.references
        interval = math.exp(self.model.posterior.typical)
        if not references:
            return LatencyError("datasheet", None, None, interval, NetworkCounts(), ())
        kinds = tuple(kind for kind, count in self.holders().items() if count)
        by_family = [each.family_error for each in references if each.family_left_out_ms is not None]
        families = median_error(by_family) if by_family else None
        counts = NetworkCounts.of(references)
        return LatencyError("networks", median_error(self.errors), families, interval, counts, kinds)

    def holders(self) -> dict[Kind, int]:
        """How many measured networks spend a noteworthy share of their time in a kind, in the order of ``Kind``."""
        return {kind: holders(self.references, kind) for kind in KINDS}

    def predict(
        self,
        network: Priced,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Prediction:
        """Latency and memory of one network.

        Args:
            network: A plan, a module, or the path of an ONNX file.
            input_shape: ``(C, H, W)`` of one input; needed for a module and for a file that leaves sizes open.
            inputs: Whole shapes, batch and sequence included, by the name of the input: of a file, or a parameter of
                a module's ``forward``.

        Raises:
            UserError: If the network does not take the shape, or the file is no ONNX model.
        """
        if isinstance(network, nn.Module | str | Path):
            return self._price_with_notes(network, self.network(network, input_shape, inputs))
        self._check_input(network, input_shape)
        return replace(self.price([network])[0], notes=self.notes)

    def explain(
        self,
        network: Priced,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Explanation:
        """The price that :meth:`predict` says, and the parts that it consists of.

        Args:
            network: As of :meth:`predict`, like the rest.
            input_shape: Of one input.
            inputs: Whole shapes.

        Raises:
            UserError: As :meth:`predict`, and of a plan that two targets price together.
        """
        if isinstance(network, nn.Module | str | Path):
            kernels = self.network(network, input_shape, inputs)
        else:
            self._check_input(network, input_shape)
            if self.target.of_integers and not all(network.integers):
                raise UserError(f"{self.name}: layers that are kept in floats are priced by another target")
            kernels = Network.joined(self._plans.networks(network))
        streaming = float(self.limits.streaming_seconds(kernels.weights))
        if isinstance(network, nn.Module | str | Path):
            price = self._price_with_notes(network, kernels)
        else:
            (price,) = self.price([network])
        features, posterior = self.model.features(kernels), self.model.posterior
        return explain(price, kernels, features, self.coefficients, streaming, self.holders(), posterior)

    def network(
        self,
        network: nn.Module | str | Path,
        input_shape: tuple[int, ...] | None = None,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Network:
        """The kernels that the target's runtime executes for a module or an ONNX file.

        Raises:
            UserError: As :meth:`predict`.
        """
        (graph,) = self.graphs(network, input_shape, inputs)
        return self.lower(graph)

    def price(self, plans: Sequence[Plan]) -> list[Prediction]:
        """Latency, memory and energy of many plans; each distinct block is traced once and remembered.

        Raises:
            UserError: If a plan is empty, a block does not take its input shape, two neighbours do not fit, or the
                target does not run it as it is quantised.
        """
        return self._plans.price(plans)

    def price_networks(self, networks: Sequence[Network]) -> list[Prediction]:
        """Latency, memory and energy of networks that are kernels of this target already."""
        table = np.stack([self.model.numbers(network) for network in networks])
        return self.model.predictions(table, np.array([network.peak for network in networks]))

    def seconds_by_kind(self, plans: Sequence[Plan]) -> Floats:
        """Predicted seconds of the kernels of plans, by kind, (N, K)."""
        return self._plans.seconds_by_kind(plans)

    def extrapolated(self, plans: Sequence[Plan]) -> dict[Kind, float]:
        """Kinds that no measured network holds, with their mean shares of the time of plans, largest first."""
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
        network: Priced,
        input_shape: tuple[int, ...] | None = None,
        inputs: Mapping[str, tuple[int, ...]] | None = None,
    ) -> tuple[Graph, ...]:
        """A network before any runtime saw it: one graph, or one for each block of a plan.

        Raises:
            UserError: As :meth:`predict`.
        """
        if isinstance(network, nn.Module):
            if input_shape is None and not inputs:
                raise UserError("tracing a module needs its input shape (C, H, W)")
            return (trace(network, input_shape, inputs),)
        if isinstance(network, str | Path):
            return (read_onnx(network, input_shape, inputs),)
        self._check_input(network, input_shape)
        return tuple(self._plans.graphs(network))

    def lower(self, graph: Graph) -> Network:
        """The kernels that the target's runtime executes for a graph."""
        return kernels_of(self.target, graph)

    def calibrate(
        self,
        pairs: Sequence[tuple[Priced, float]],
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
            source: Where the measurements come from, kept with the networks.

        Raises:
            UserError: As :meth:`calibrated`.
        """
        measured = [
            MeasuredNetwork(_name_of(network, number), self.graphs(network, input_shape), ms)
            for number, (network, ms) in enumerate(pairs, 1)
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

        What this profile knows becomes the prior, so that five networks help already. Its own measured networks keep
        counting where the device is about as fast as they say. From 20 networks on a boosted correction of the kernel
        sum is added where it helps on networks left out.

        Args:
            measured: Networks with their latencies.
            name: Of the new profile, by default this one's.
            source: Where the measurements come from, kept with the networks.
            runtime_version: Version that they were measured under, by default this target's.

        Raises:
            UserError: If there are too few, a time is no positive number, or no rules explain the times.
        """
        if len(measured) < LEAST_NETWORKS:
            raise UserError(f"{len(measured)} measured networks; a calibration needs at least {LEAST_NETWORKS}")
        for number, each in enumerate(measured, 1):
            if not (math.isfinite(each.ms) and each.ms > 0):
                raise UserError(f"pair {number}: the time is {each.ms}; a latency is a positive number of milliseconds")
        choice = choose(self.target, self.coefficients, self._fit, self.limits, measured)
        only = {"default": self._key, "targets": self._alone(choice.target)}
        ruled = Profile(self.name.partition(":")[0], self.file.model_copy(update=only))
        times, names = [each.ms for each in measured], [each.name for each in measured]
        fitted = ruled.refit(choice.networks, times, names, source, choice.start)
        return ruled.with_fit(fitted, name, runtime_version)

    def with_fit(self, fitted: Fit | None, name: str | None = None, runtime_version: str | None = None) -> Profile:
        """A profile of this target alone, with another fit.

        Args:
            fitted: The fit, None for the datasheet alone.
            name: Of the new profile, by default this device's.
            runtime_version: Version that its networks were measured under, by default this target's.
        """
        update = {"fit": fitted, "runtime_version": runtime_version or self.target.runtime_version}
        only = {"default": self._key, "targets": self._alone(self.target.model_copy(update=update))}
        return Profile(name or self.name.partition(":")[0], self.file.model_copy(update=only))

    def refit(
        self,
        networks: Sequence[Network],
        ms: Sequence[float],
        names: Sequence[str],
        source: str,
        start: Start | None = None,
    ) -> Fit:
        """The fit on measured networks under this profile's own rules.

        Args:
            networks: N networks as kernels of this target.
            ms: Their latencies in milliseconds.
            names: What to call them.
            source: Where the measurements come from.
            start: What is known before, by default this profile's coefficients alone.
        """
        return refit(self.target, self.limits, self.model, networks, ms, names, source, start)

    def save(self, path: str | Path) -> None:
        """Write the profile as YAML, for ``load_profile`` to read."""
        write_profile(Path(path), self.file)

    def _alone(self, target: Target) -> dict[str, Target]:
        """A target in place of this one, and the one that prices what its networks keep in floats."""
        floats = None if target.integers is None else target.integers.floats
        return {self._key: target} | ({} if floats is None else {floats: self.file.targets[floats]})

    def _check_input(self, plan: Plan, input_shape: tuple[int, ...] | None) -> None:
        if input_shape is None:
            return
        first = plan.blocks[0].input.shape if plan.blocks else None
        if first != input_shape:
            raise UserError(f"the plan takes inputs of shape {first}; got {input_shape}")

    def _price_with_notes(self, asked: nn.Module | str | Path, network: Network) -> Prediction:
        (price,) = self.price_networks([network])
        size = FLOAT32 * price.params if isinstance(asked, nn.Module) else None
        return replace(price, size_bytes=size, notes=self._notes(network))

    def _notes(self, network: Network) -> tuple[str, ...]:
        """Warnings that hold for the price of one network."""
        unknown = [f"unknown operators are priced by what they move: {', '.join(network.unknown)}"]
        return (*self.notes, *network.notes, *(unknown if network.unknown else ()))

    @cached_property
    def model(self) -> PriceModel:
        """What prices kernels of the target; calibrates where that is still to do."""
        return PriceModel(self.target, self._fit, self.limits)

    @cached_property
    def _beside_in_floats(self) -> Profile | None:
        """The target of the same device by which layers are priced that a network of integers keeps in floats."""
        integers = self.target.integers
        if integers is None or integers.floats is None:
            return None
        return Profile(self.name.partition(":")[0], self.file, integers.floats, self._progress, self)

    @cached_property
    def limits(self) -> Limits:
        """Memory that a network has to fit into."""
        return Limits.of(self.file.memory, self.target.memory_here)

    @cached_property
    def _fit(self) -> Fit | None:
        if self.target.fit is not None or not self.target.this_machine:
            return self.target.fit
        return calibration(self.file.device, self.target, self._progress)


def _name_of(network: Priced, number: int) -> str:
    return Path(network).stem if isinstance(network, str | Path) else f"network {number}"
