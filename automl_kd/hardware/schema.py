"""The file of a hardware profile: what it may hold, and one line for what is wrong with it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from automl_kd.core import UserError, unknown, write_text
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.rules import Dead, Zeros, rules_of, runtimes
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Floats, datasheet, inner_loops
from automl_kd.hardware.predictor.misfit import Misfit
from automl_kd.hardware.predictor.posterior import Evidence, Posterior
from automl_kd.hardware.predictor.prior import GROUPS, Spread
from automl_kd.hardware.processor import core_cache_mb, vector_lanes

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Rule = Literal["zeros", "dead", "queued"]
Precision = Literal["fp32", "fp16", "int8", "w8a16"]
"""Of weights and activations; ``w8a16`` has integers of 8 and of 16 bits."""

_INTERCEPT_LAUNCHES, _IN_PROCESS = 20, 4
"""Launches that an inference costs besides its kernels, where nothing was measured: with a device or a framework in
between, and as a call within the process."""

_LEAST_SHARE = 0.002
"""Of a network's time; a kind that takes less is not written down."""

ELEMENT_BYTES: dict[Precision, int] = {"fp32": 4, "fp16": 2, "int8": 1, "w8a16": 2}
"""Of one activation."""
WEIGHT_BYTES: dict[Precision, int] = ELEMENT_BYTES | {"w8a16": 1}
"""Of one weight."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Part):
    """A figure with where it comes from."""

    value: Positive
    source: str


class Memory(_Part):
    """What a network has to fit into; a limit that is left out does not bind.

    Attributes:
        ram_gb: Weights and activations together; this machine's where ``local``.
        sram_kb: Activations alone, in on-chip memory.
        flash_kb: Weights alone.
        weight_cache_mb: Weights beyond this are streamed again at every inference.
        stream_gb_s: How fast.
    """

    ram_gb: Fact | None = None
    sram_kb: Fact | None = None
    flash_kb: Fact | None = None
    weight_cache_mb: Fact | None = None
    stream_gb_s: Fact | None = None


class VectorUnit(_Part):
    """What onnxruntime fits its inner loops to on x86.

    Attributes:
        lanes: Floats in a register.
        cache_mb: That a core has to itself.
    """

    lanes: Literal[8, 16]
    cache_mb: Positive
    source: str


class Scratchpad(_Part):
    """Memory beside the arithmetic of an accelerator, where activations stay between kernels.

    Attributes:
        mb: Its size in 10⁶ bytes; what a kernel reads and writes beyond it goes through the memory.
        gb_s: How fast it is.
    """

    mb: Positive
    gb_s: Positive
    source: str


class Facts(_Part):
    """The datasheet of a target.

    Attributes:
        peak_gflops: Dense arithmetic in the target's precision, a multiply-accumulate counted as 2.
        bandwidth_gb_s: Nominal memory bandwidth.
        launch_us: Time of the smallest kernel.
        power_w: Drawn while it infers; gives energy.
        host_slowdown: How often slower the host is that runs what an accelerator cannot.
        vector: Of the processor, where the runtime's inner loops are known.
        scratchpad: Of an accelerator.
    """

    peak_gflops: Fact
    bandwidth_gb_s: Fact
    launch_us: Fact
    power_w: Fact | None = None
    host_slowdown: Fact | None = None
    vector: VectorUnit | None = None
    scratchpad: Scratchpad | None = None

    def prior(self, queued: bool) -> Coefficients:
        """Coefficients to expect from these figures alone."""
        peak, bandwidth = self.peak_gflops.value * 1e9, self.bandwidth_gb_s.value * 1e9
        launch = self.launch_us.value * 1e-6
        if self.vector is not None:
            return inner_loops(peak, bandwidth, launch, _IN_PROCESS * launch)
        return datasheet(peak, bandwidth, launch, _INTERCEPT_LAUNCHES * launch, queued)

    def on_this_machine(self) -> Facts:
        """The same with the vector unit of this processor, and a peak that grows with its registers."""
        lanes = vector_lanes()
        if lanes is None or self.vector is not None:
            return self
        vector = VectorUnit(lanes=lanes, cache_mb=core_cache_mb() or 1.0, source="the operating system")
        peak = self.peak_gflops.value * lanes / 8
        return self.model_copy(
            update={"vector": vector, "peak_gflops": Fact(value=peak, source=self.peak_gflops.source)}
        )


class Anchor(_Part):
    """One measured network, with what its time consists of and what the fit says of it when it is left out.

    Attributes:
        family: Networks that are variants of each other; None of those that were measured for the purpose.
        fitted_ms: By the sum of its kernels under the fit on all networks.
        left_out_ms: By the fit without it.
        unlike_ms: By the fit without any network of its family; None where that was not asked.
        time: Shares of its predicted time by kind: arithmetic, memory and launches.
        intercept: Share of the intercept.
    """

    model: str
    family: str | None = None
    input: tuple[int, ...]
    gflops: Positive
    ms: Positive
    fitted_ms: Positive
    left_out_ms: Positive
    unlike_ms: Positive | None = None
    source: str
    time: dict[Kind, tuple[Share, Share, Share]]
    intercept: Share

    @staticmethod
    def time_of(sensitivities: Floats) -> dict[Kind, tuple[float, float, float]]:
        """Shares by kind from derivatives of the logarithm of a network's time, (3 K + 1,), to three digits."""
        shares = np.abs(sensitivities[:-1]).reshape(3, len(KINDS)).T
        rows = zip(KINDS, shares.tolist(), strict=True)
        return {kind: (_three(a), _three(m), _three(n)) for kind, (a, m, n) in rows if a + m + n >= _LEAST_SHARE}

    @property
    def error(self) -> float:
        """``log(measured / predicted)``."""
        return math.log(self.ms / self.left_out_ms)

    def moved(self, change: Floats) -> Anchor:
        """The anchor after its fit's log-coefficients changed by so much, (3 K + 1,), to first order."""
        factor = math.exp(float(self.sensitivities @ change))
        update = {"fitted_ms": self.fitted_ms * factor, "left_out_ms": self.left_out_ms * factor}
        if self.unlike_ms is not None:
            update["unlike_ms"] = self.unlike_ms * factor
        return self.model_copy(update={name: _four(value) for name, value in update.items()})

    @property
    def unlike_error(self) -> float:
        """The same when its family is left out; that of the network alone where that was not asked."""
        return math.log(self.ms / (self.unlike_ms or self.left_out_ms))

    @property
    def shares(self) -> dict[Kind, float]:
        """Shares of its time by kind."""
        return {kind: sum(parts) for kind, parts in self.time.items()}

    @property
    def sensitivities(self) -> Floats:
        """Derivatives of the logarithm of its time by the log-coefficients, (3 K + 1,)."""
        rows = np.array([self.time.get(kind, (0.0, 0.0, 0.0)) for kind in KINDS])
        found: Floats = np.append((rows * (-1.0, -1.0, 1.0)).T.ravel(), self.intercept)
        return found


class Residual(_Part):
    """What the fit leaves unexplained of measured networks: the table that a boosted correction is learned from.

    Attributes:
        features: One row a network.
        errors: ``log(measured / predicted)`` of every network when it was left out.
    """

    features: tuple[tuple[float, ...], ...]
    errors: tuple[float, ...]


class Doubt(_Part):
    """How far coefficients may lie off before anything is measured, and what the model gets wrong by itself.

    Standard deviations in natural logarithms.

    Attributes:
        shared: Of what all kinds of a group have in common.
        kinds: Of what each kind has of its own: throughput, bandwidth and launch.
        intercept: Of the intercept.
        noise: Of a measurement by itself.
        unlike: Of what networks share that are alike.
        composition: Distance in what their time consists of over which networks stop being alike.
        size: The same in the logarithm of their operations.
    """

    shared: dict[str, NotNegative]
    kinds: dict[Kind, tuple[Positive, Positive, Positive]]
    intercept: Positive
    noise: Positive
    unlike: NotNegative
    composition: Positive
    size: Positive

    @staticmethod
    def of(spread: Spread, misfit: Misfit) -> Doubt:
        """In the form of the file, to three digits."""
        rows = np.array(spread.kinds).reshape(3, len(KINDS)).T.tolist()
        return Doubt(
            shared=dict(zip(GROUPS, map(_three, spread.shared), strict=True)),
            kinds={kind: (_three(a), _three(m), _three(n)) for kind, (a, m, n) in zip(KINDS, rows, strict=True)},
            intercept=_three(spread.intercept),
            noise=_three(misfit.noise),
            unlike=_three(misfit.unlike),
            composition=misfit.composition,
            size=misfit.size,
        )

    @property
    def spread(self) -> Spread:
        """Of the coefficients."""
        own = np.array([self.kinds[kind] for kind in KINDS]).T.ravel()
        return Spread(tuple(self.shared[name] for name in GROUPS), tuple(own.tolist()), self.intercept)

    @property
    def misfit(self) -> Misfit:
        """Of the model."""
        return Misfit(self.noise, self.unlike, self.composition, self.size)


class Fit(_Part):
    """Coefficients by kind, the networks they were fitted on and the kinds those contain; written by a program.

    Attributes:
        throughput_gops: 10⁹ operations per second.
        bandwidth_gb_s: 10⁹ bytes per second.
        launch_us: Microseconds.
        intercept_ms: Milliseconds.
        kinds: That occur in the anchors.
        doubt: How far the coefficients were to be trusted before the anchors were measured.
        validation: How the anchors' ``left_out_ms`` came about.
        anchors: Measured networks, or none where the coefficients came from other targets alone.
        residual: Given from 20 measured networks on, where a correction helps.
    """

    throughput_gops: dict[Kind, Positive]
    bandwidth_gb_s: dict[Kind, Positive]
    launch_us: dict[Kind, Positive]
    intercept_ms: Positive
    kinds: tuple[Kind, ...]
    doubt: Doubt
    validation: str = "leave-one-out"
    anchors: tuple[Anchor, ...] = ()
    residual: Residual | None = None

    @staticmethod
    def of(
        coefficients: Coefficients,
        kinds: frozenset[Kind],
        doubt: Doubt,
        anchors: Sequence[Anchor],
        residual: Residual | None = None,
    ) -> Fit:
        """The fit in the units of the file, to four digits."""
        return Fit(
            throughput_gops=_by_kind(coefficients.throughput, 1e-9),
            bandwidth_gb_s=_by_kind(coefficients.bandwidth, 1e-9),
            launch_us=_by_kind(coefficients.launch, 1e6),
            intercept_ms=_four(coefficients.intercept * 1e3),
            kinds=tuple(sorted(kinds)),
            doubt=doubt,
            anchors=tuple(anchors),
            residual=residual,
        )

    def posterior(self) -> Posterior:
        """What the anchors say of networks, and how far off prices by this fit may be."""
        return Posterior(self.doubt.spread, self.doubt.misfit, self._evidence() if self.anchors else Evidence.none())

    def _evidence(self) -> Evidence:
        families: dict[str, list[int]] = {}
        for index, anchor in enumerate(self.anchors):
            if anchor.family is not None and anchor.unlike_ms is not None:
                families.setdefault(anchor.family, []).append(index)
        unlike = [(tuple(rows), tuple(self.anchors[row].unlike_error for row in rows)) for rows in families.values()]
        return Evidence(
            np.stack([anchor.sensitivities for anchor in self.anchors]),
            np.array([anchor.gflops * 1e9 for anchor in self.anchors]),
            np.array([math.log(anchor.ms / anchor.fitted_ms) for anchor in self.anchors]),
            np.array([anchor.error for anchor in self.anchors]),
            tuple(unlike) if sum(len(rows) for rows, _ in unlike) == len(self.anchors) else (),
        )

    def coefficients(self, prior: Coefficients) -> Coefficients:
        """The coefficients in SI units; kinds that the file does not know keep the datasheet's."""
        return Coefficients(
            throughput=_in_order(self.throughput_gops, 1e9, prior.throughput),
            bandwidth=_in_order(self.bandwidth_gb_s, 1e9, prior.bandwidth),
            launch=_in_order(self.launch_us, 1e-6, prior.launch),
            intercept=self.intercept_ms * 1e-3,
            queued=prior.queued,
        )


class Execution(_Part):
    """How a calibration found a target to execute networks, by the errors of networks left out; a program writes it.

    It goes before what the table of the runtime says. Whether launches are hidden is the target's ``queued``.

    Attributes:
        zeros: What becomes of products with zero: see ``Rules``.
        dead: What becomes of operators that nobody needs.
        error: Mean left-out error under these rules, in natural logarithms.
        given_error: The same under the rules that the profile had before.
        sure: Share of resamples of the networks in which a rule is that of the best: ``zeros``, ``dead``, ``queued``;
            of those that the networks can tell.
    """

    zeros: Zeros
    dead: Dead
    error: Annotated[float, Field(ge=0)]
    given_error: Annotated[float, Field(ge=0)]
    sure: dict[Rule, Annotated[float, Field(ge=0, le=1)]]


class Target(_Part):
    """One way to run networks on a device: runtime, precision, batch, threads and power mode.

    Attributes:
        runtime: Whose fusion rules apply.
        runtime_version: That the anchors were measured with.
        queued: Whether launches of kernels overlap with work, as on GPUs.
        execution: Which of the runtime's rules a calibration chose; None for those of its table.
        opset: Newest ONNX opset that the runtime reads.
        this_machine: Whether it is the machine that this runs on, so that it can be measured here; without a fit it
            is, at the first use.
    """

    runtime: str
    runtime_version: str
    precision: Precision
    batch: Literal[1] = 1
    threads: Annotated[int, Field(ge=1)] = 1
    power_mode: str
    queued: bool
    opset: Annotated[int, Field(ge=11, le=21)]
    this_machine: bool = False
    facts: Facts
    execution: Execution | None = None
    fit: Fit | None = None

    @property
    def rules(self) -> dict[Rule, Any]:
        """What a calibration may choose: what becomes of zeros and dead operators, and whether launches are hidden."""
        table = self.execution or rules_of(self.runtime)
        return {"zeros": table.zeros, "dead": table.dead, "queued": self.queued}

    @property
    def memory_here(self) -> float | None:
        """Bytes per second of this machine's memory, where the target is on this machine."""
        return 1e9 * self.facts.bandwidth_gb_s.value if self.this_machine else None

    @property
    def prior(self) -> Coefficients:
        """What the datasheet leads to expect."""
        return self.facts.prior(self.queued)

    @property
    def coefficients(self) -> Coefficients:
        """What the fit says, or the datasheet where there is none."""
        return self.prior if self.fit is None else self.fit.coefficients(self.prior)


class ProfileFile(_Part):
    """A device and the ways to run networks on it.

    Attributes:
        device: Its name.
        precisions: That its arithmetic supports.
        default: The target that the profile's name alone stands for.
        memory: What a network has to fit into.
        targets: By name.
    """

    device: str
    precisions: tuple[Precision, ...]
    default: str
    memory: Memory = Memory()
    targets: Annotated[dict[str, Target], Field(min_length=1)]


def read_profile(path: Path) -> ProfileFile:
    """The validated profile in a YAML file.

    Raises:
        UserError: One line that names the file, the path in it, the value and what is allowed.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a YAML file: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} holds no profile; it must map device, default, targets and the rest")
    try:
        profile = ProfileFile.model_validate(document)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}") from error
    if profile.default not in profile.targets:
        raise UserError(f"{path}: default is {profile.default!r}; allowed: {', '.join(profile.targets)}")
    for name, target in profile.targets.items():
        if target.runtime not in runtimes():
            raise UserError(f"{path}: targets.{name}.{unknown('runtime', target.runtime, runtimes())}")
        if target.precision not in profile.precisions:
            allowed = ", ".join(profile.precisions)
            raise UserError(f"{path}: targets.{name}.precision is {target.precision!r}; the device has {allowed}")
    return profile


def write_profile(path: Path, profile: ProfileFile) -> None:
    """Write a profile as YAML, whole or not at all; facts that are left out stay out."""
    yaml = YAML()
    yaml.width = 120
    text = io.StringIO()
    yaml.dump(profile.model_dump(mode="json", exclude_none=True), text)
    write_text(path, text.getvalue())


def _first(error: ValidationError) -> str:
    item: Any = error.errors()[0]
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"{where} is missing"
    if item["type"] == "extra_forbidden":
        return f"{where} is unknown; remove it"
    return f"{where} is {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _by_kind(values: Sequence[float], unit: float) -> dict[Kind, float]:
    return {kind: _four(value * unit) for kind, value in zip(KINDS, values, strict=True)}


def _in_order(values: dict[Kind, float], unit: float, prior: Sequence[float]) -> tuple[float, ...]:
    expected = zip(KINDS, prior, strict=True)
    return tuple(values[kind] * unit if kind in values else value for kind, value in expected)


def _four(value: float) -> float:
    return float(f"{value:.4g}")


def _three(value: float) -> float:
    return round(value, 4) if value < 0.1 else float(f"{value:.3g}")
