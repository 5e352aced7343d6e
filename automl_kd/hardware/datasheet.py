"""What a device's datasheet says of a target: arithmetic, memory, launches, power; each figure with its source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_kd.hardware.predictor.cost import Coefficients, Floats, datasheet, inner_loops
from automl_kd.hardware.processor import core_cache_mb, vector_lanes

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Precision = Literal["fp32", "fp16", "int8", "w8a16"]
"""Of weights and activations; ``w8a16`` has weights of 8 bits and activations of 16, both integers."""

_INTERCEPT_LAUNCHES, _IN_PROCESS = 20, 4
"""Launches that an inference costs besides its kernels, where nothing was measured: through a device or a framework,
and as a call within the process."""

ELEMENT_BYTES: dict[Precision, int] = {"fp32": 4, "fp16": 2, "int8": 1, "w8a16": 2}
"""Of one activation."""
WEIGHT_BYTES: dict[Precision, int] = ELEMENT_BYTES | {"w8a16": 1}
"""Of one weight."""


class ProfilePart(BaseModel):
    """A part of a profile's file. A field with an alias keeps the key that files of earlier versions have."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True)


class Fact(ProfilePart):
    """A figure with where it comes from."""

    value: Positive
    source: str


class Memory(ProfilePart):
    """The memory that a network has to fit into; a limit that is left out does not bind.

    Attributes:
        ram_gb: For weights and activations together; without it, a target on this machine has the machine's memory.
        sram_kb: For activations alone, on the chip.
        flash_kb: For weights alone.
        weight_cache_mb: Weights beyond this are streamed again at every inference.
        stream_gb_s: Speed of that streaming.
    """

    ram_gb: Fact | None = None
    sram_kb: Fact | None = None
    flash_kb: Fact | None = None
    weight_cache_mb: Fact | None = None
    stream_gb_s: Fact | None = None


class VectorUnit(ProfilePart):
    """The vector unit that onnxruntime's inner loops are written for on x86.

    Attributes:
        lanes: Floats in a register.
        cache_mb: Cache that a core has to itself, 10⁶ bytes.
    """

    lanes: Literal[8, 16]
    cache_mb: Positive
    source: str


class Scratchpad(ProfilePart):
    """Memory beside the arithmetic of an accelerator, where activations stay between kernels.

    Attributes:
        mb: Its size in 10⁶ bytes; what a kernel reads and writes beyond it goes through the memory.
        gb_s: How fast it is.
    """

    mb: Positive
    gb_s: Positive
    source: str


class Energy(ProfilePart):
    """What an inference draws, as a power at rest and the work that comes on top (as in Horowitz, ISSCC 2014).

    Attributes:
        idle_w: Watts drawn while an inference lasts, whatever it computes.
        pj_per_operation: 10⁻¹² joules for an operation, a multiply-accumulate counted as 2.
        pj_per_byte: 10⁻¹² joules for a byte of activations or weights that is read or written.
    """

    idle_w: NotNegative
    pj_per_operation: Positive
    pj_per_byte: Positive
    source: str

    def millijoules(self, ms: Floats, operations: Floats, moved_bytes: Floats) -> Floats:
        """Energy of N inferences, (N,): watts times milliseconds are millijoules, and so are 10⁹ picojoules."""
        work = self.pj_per_operation * operations + self.pj_per_byte * moved_bytes
        return self.idle_w * ms + 1e-9 * work


class Facts(ProfilePart):
    """The datasheet of a target.

    Attributes:
        peak_gflops: Dense arithmetic in the target's precision, a multiply-accumulate counted as 2.
        bandwidth_gb_s: Nominal memory bandwidth.
        launch_us: Time of the smallest kernel.
        power_w: Drawn while it infers, one figure for all networks: energy is then proportional to latency.
        energy: What an inference draws by its work, which goes before ``power_w``.
        host_slowdown: How many times as slow the host is that runs what an accelerator cannot.
        vector: Vector unit of the processor, where the runtime's inner loops are known.
        scratchpad: Scratchpad of an accelerator.
    """

    peak_gflops: Fact
    bandwidth_gb_s: Fact
    launch_us: Fact
    power_w: Fact | None = None
    energy: Energy | None = None
    host_slowdown: Fact | None = None
    vector: VectorUnit | None = None
    scratchpad: Scratchpad | None = None

    def prior(self, queued: bool) -> Coefficients:
        """Coefficients that these figures alone lead to expect."""
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
