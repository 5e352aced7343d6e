"""Kernels: what a device executes and is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from automl_kd.hardware.kernels.graph import Kind, Shape


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel of a network, for a batch of one.

    Attributes:
        kind: Which coefficients price it.
        flops: Operations in multiply-accumulates, each counted as 2.
        operations: What its arithmetic is priced by: the flops, or the elementary operations of a kernel without
            multiply-accumulates. Where the runtime's inner loops are known, as many as a kernel that fills them would
            execute in the same time.
        read: Bytes of activations read.
        written: Bytes of activations written.
        weights: Bytes of weights read.
        inputs: Shapes of the activations read.
        output: Shape of the first result.
        on_host: Whether it runs beside the accelerator that the profile names, because that lacks an operator.
        speed: How many times as fast its arithmetic is as with floats, of a kernel of integers on a target of floats.
        times: How often it is executed in one run.
    """

    kind: Kind
    flops: int
    operations: int
    read: int
    written: int
    weights: int
    inputs: tuple[Shape, ...]
    output: Shape
    on_host: bool
    speed: float | None = None
    times: int = 1

    def __post_init__(self) -> None:
        """No kernel executes, moves or keeps less than nothing.

        Raises:
            ValueError: If one does.
        """
        if min(self.flops, self.operations, self.read, self.written, self.weights) < 0:
            raise ValueError(f"a kernel of less than nothing: {self}")


@dataclass(frozen=True, slots=True)
class Network:
    """The kernels of a network or of one block.

    Attributes:
        kernels: In execution order.
        peak: Bytes of the activations that live at the same time, at worst.
        weights: Bytes of all weights.
        parameters: Parameters of the module, or float initialisers of the ONNX file.
        input: Shape of the input, batch of one included.
        output: Shape of the first output; ``()`` where the output is constant.
        unknown: Names of the operators of kind ``other``.
        notes: What was assumed of it, a sentence each.
        even: What would be executed if every number of channels filled the blocks that a runtime lays them out in;
            empty where they do. Slightly wider layers may cost as little.
    """

    kernels: tuple[Kernel, ...]
    peak: int
    weights: int
    parameters: int
    input: Shape
    output: Shape
    unknown: tuple[str, ...]
    notes: tuple[str, ...] = ()
    even: tuple[Kernel, ...] = ()

    @property
    def flops(self) -> int:
        """Operations in multiply-accumulates, each counted as 2."""
        return sum(kernel.flops * kernel.times for kernel in self.kernels)

    @staticmethod
    def joined(parts: Sequence[Network]) -> Network:
        """Networks that are executed one after another, each on the result of the one before."""
        if len(parts) == 1:
            return parts[0]
        return replace(
            parts[-1],
            kernels=tuple(kernel for part in parts for kernel in part.kernels),
            peak=max(part.peak for part in parts),
            weights=sum(part.weights for part in parts),
            parameters=sum(part.parameters for part in parts),
            input=parts[0].input,
            unknown=tuple(sorted({name for part in parts for name in part.unknown})),
        )
