"""The file of a hardware profile: what it may hold, and one line for what is wrong with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.graph import Kind
from automl_kd.hardware._predictor.cost import STREAMS, THROUGHPUTS, Coefficients, datasheet

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_INTERCEPT = 0.3e-3  # seconds per inference to expect where nothing was measured

ELEMENT_BYTES = {"fp32": 4, "fp16": 2}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Part):
    """A figure with where it comes from."""

    value: Positive
    source: str


class Facts(_Part):
    """The datasheet. Memory is this machine's where the file leaves it out."""

    peak_gflops: Fact
    bandwidth_gb_s: Fact
    launch_us: Fact
    memory_gb: Fact | None = None

    def prior(self) -> Coefficients:
        """Coefficients to expect from these figures alone."""
        return datasheet(
            self.peak_gflops.value * 1e9, self.bandwidth_gb_s.value * 1e9, self.launch_us.value * 1e-6, _INTERCEPT
        )


class Anchor(_Part):
    """One measured network, with what the fit says of it when it is left out."""

    model: str
    input: tuple[int, int, int]
    gflops: Positive
    ms: Positive
    left_out_ms: Positive
    source: str

    @property
    def error(self) -> float:
        """``log(measured / predicted)``."""
        return math.log(self.ms / self.left_out_ms)


class Fit(_Part):
    """Coefficients by kind, the networks they were fitted on and the kinds those contain; written by a program."""

    throughput_gflops: dict[str, Positive]
    bandwidth_gb_s: dict[str, Positive]
    launch_us: dict[str, Positive]
    intercept_ms: Positive
    kinds: tuple[Kind, ...]
    anchors: tuple[Anchor, ...] = Field(min_length=2)

    @staticmethod
    def of(coefficients: Coefficients, kinds: frozenset[Kind], anchors: tuple[Anchor, ...]) -> Fit:
        """The fit in the units of the file, to four digits."""
        throughput = zip(THROUGHPUTS, coefficients.throughput, strict=True)
        bandwidth = zip(STREAMS, coefficients.bandwidth, strict=True)
        return Fit(
            throughput_gflops={kind.value: _four(value / 1e9) for kind, value in throughput},
            bandwidth_gb_s={name: _four(value / 1e9) for name, value in bandwidth},
            launch_us={name: _four(value * 1e6) for name, value in zip(STREAMS, coefficients.launch, strict=True)},
            intercept_ms=_four(coefficients.intercept * 1e3),
            kinds=tuple(sorted(kinds)),
            anchors=anchors,
        )

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients in SI units."""
        return Coefficients(
            throughput=tuple(self.throughput_gflops[kind.value] * 1e9 for kind in THROUGHPUTS),
            bandwidth=tuple(self.bandwidth_gb_s[name] * 1e9 for name in STREAMS),
            launch=tuple(self.launch_us[name] * 1e-6 for name in STREAMS),
            intercept=self.intercept_ms * 1e-3,
        )


class ProfileFile(_Part):
    """One device under one runtime, precision, thread count and power mode."""

    device: str
    runtime: Literal["tensorrt", "ncnn", "onnxruntime"]
    runtime_version: str
    precision: Literal["fp32", "fp16"]
    batch: Literal[1]
    threads: Annotated[int, Field(ge=1)]
    power_mode: str
    opset: Annotated[int, Field(ge=11, le=21)]
    calibrate: bool = False
    facts: Facts
    fit: Fit | None = None


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
        raise UserError(f"{path} holds no profile; it must map device, runtime, precision and the rest")
    try:
        profile = ProfileFile.model_validate(document)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}") from error
    if profile.fit is not None:
        _check_complete(path, profile.fit)
    return profile


def _check_complete(path: Path, fit: Fit) -> None:
    streams = set(STREAMS)
    for field, found, wanted in (
        ("throughput_gflops", fit.throughput_gflops, {kind.value for kind in THROUGHPUTS}),
        ("bandwidth_gb_s", fit.bandwidth_gb_s, streams),
        ("launch_us", fit.launch_us, streams),
    ):
        for name in sorted(wanted ^ found.keys()):
            state = "missing" if name in wanted else f"unknown; allowed: {', '.join(sorted(wanted))}"
            raise UserError(f"{path}: fit.{field}.{name} is {state}")


def _first(error: ValidationError) -> str:
    item: Any = error.errors()[0]
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"{where} is missing"
    if item["type"] == "extra_forbidden":
        return f"{where} is unknown; remove it"
    return f"{where} is {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _four(value: float) -> float:
    return float(f"{value:.4g}")
