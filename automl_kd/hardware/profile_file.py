"""The file of a hardware profile: what it may hold, and one line for what is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML

from automl_kd.core import NotYAMLError, UserError, load_yaml, unknown, write_text
from automl_kd.hardware.datasheet import Facts, Memory, Precision, ProfilePart
from automl_kd.hardware.fit_section import Fit
from automl_kd.hardware.kernels.rules import Dead, Zeros, rules_of, runtimes
from automl_kd.hardware.predictor.cost import Coefficients

Rule = Literal["zeros", "dead", "queued"]
WeightScheme = Literal["per-channel", "per-tensor"]
"""Whether each output channel of a weight has a scale of its own, or the whole tensor one."""


class Execution(ProfilePart):
    """The rules by which a calibration found a target to execute networks; a program writes it.

    They go before those of the runtime's table. Whether launches are hidden is the target's ``queued``.

    Attributes:
        zeros: What becomes of products with zero: see ``Rules``.
        dead: What becomes of operators whose result nobody reads.
        error: Mean error of networks left out under these rules, in natural logarithms.
        given_error: The same under the rules that the profile had before.
        sure: Share of resamples of the networks in which the best fit has the same rule, for each rule (``zeros``,
            ``dead``, ``queued``) that makes a difference on these networks.
    """

    zeros: Zeros
    dead: Dead
    error: Annotated[float, Field(ge=0)]
    given_error: Annotated[float, Field(ge=0)]
    sure: dict[Rule, Annotated[float, Field(ge=0, le=1)]]


class Integers(ProfilePart):
    """What a runtime of integers makes of a quantised network.

    Attributes:
        only: Whether it runs nothing else: what is left in floats does not load, or falls to the host.
        weights: Schemes of weights that it loads; the first is what its networks were measured with.
        slower: How many times as long a network takes with another of these schemes; sources in ``source``.
        floats: The target of the same device that prices what is kept in floats; without it nothing can be kept.
        conversions: Whether it was measured on quantised files, whose kernels convert what has none of integers; others
            are priced as networks of integers from end to end.
    """

    only: bool = False
    weights: Annotated[tuple[WeightScheme, ...], Field(min_length=1)] = ("per-channel", "per-tensor")
    slower: dict[WeightScheme, Annotated[float, Field(ge=1)]] = Field(default_factory=dict)
    floats: str | None = None
    conversions: bool = False
    source: str


class DeviceFile(ProfilePart):
    """The file that a runtime loads, and how it comes from ``student.onnx``.

    Attributes:
        name: Of the file: ``student_edgetpu.tflite``.
        commands: One after the other, in a folder with ``student.onnx``; empty where the runtime loads that itself.
        source: Where the commands are documented.
    """

    name: str
    commands: tuple[str, ...] = ()
    source: str


class Target(ProfilePart):
    """One way to run networks on a device: runtime, precision, batch, threads and power mode.

    Attributes:
        runtime: Runtime whose fusion rules apply.
        runtime_version: Version that the networks were measured with.
        queued: Whether launches of kernels overlap with work, as on GPUs.
        opset: Newest ONNX opset that the runtime reads.
        this_machine: Whether it is the machine that this runs on, so that networks can be measured here. Without a fit
            it is calibrated at the first use.
        execution: Rules that a calibration chose; None for those of the runtime's table.
        integers: What it makes of quantised networks; None of a target of floats.
        file: The file that the runtime loads; None where nothing is known of it.
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
    integers: Integers | None = None
    file: DeviceFile | None = None
    fit: Fit | None = None

    @property
    def rules(self) -> dict[Rule, Any]:
        """Rules that a calibration may choose: for zeros, for dead operators, and whether launches are hidden."""
        table = self.execution or rules_of(self.runtime)
        return {"zeros": table.zeros, "dead": table.dead, "queued": self.queued}

    @property
    def of_integers(self) -> bool:
        """Whether any network is priced as integers, whatever is said of it."""
        return self.precision in ("int8", "w8a16")

    @property
    def from_files(self) -> bool:
        """Whether a quantised block is priced as the quantised file of it, conversions included."""
        return not self.of_integers or (self.integers is not None and self.integers.conversions)

    @property
    def memory_here(self) -> float | None:
        """Bytes per second of this machine's memory, where the target is on this machine."""
        return 1e9 * self.facts.bandwidth_gb_s.value if self.this_machine else None

    @property
    def prior(self) -> Coefficients:
        """Coefficients that the datasheet leads to expect."""
        return self.facts.prior(self.queued)

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients of the fit, or of the datasheet where there is none."""
        return self.prior if self.fit is None else self.fit.coefficients(self.prior)


class ProfileFile(ProfilePart):
    """A device and the ways to run networks on it.

    Attributes:
        device: Its name.
        precisions: Precisions that its arithmetic supports.
        default: Name of the target that the profile's name alone stands for.
        memory: Memory that a network has to fit into.
        targets: Targets by name.
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
        document = load_yaml(path.read_text(encoding="utf-8"))
    except (NotYAMLError, UnicodeDecodeError) as error:
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
        _check_integers(path, name, profile)
    return profile


def _check_integers(path: Path, name: str, profile: ProfileFile) -> None:
    """What is kept in floats is priced by a target of floats."""
    integers = profile.targets[name].integers
    if integers is None or integers.floats is None:
        return
    where, floats = (
        f"{path}: targets.{name}.integers",
        [other for other, target in profile.targets.items() if not target.of_integers],
    )
    if integers.floats not in floats:
        raise UserError(f"{where}.{unknown('floats', integers.floats, floats)}")


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
