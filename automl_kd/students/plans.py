"""A student before it is built: a chain of blocks, each hashable and complete with shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from torch import nn

from automl_kd.core import Input, Signature

Shape = tuple[int, ...]
"""Of one example between two blocks: channels, height, width of an image or feature map; what an input has first."""

HEAD = "head"
"""The last stage of a student that has stages; its last block is the classifier."""
PROJECTOR = "projector"
"""The stage between the last map and the classifier of a student that brings its map to the teacher's channels."""


@dataclass(frozen=True)
class Block(ABC):
    """A piece of a student that is priced once and reused: equal blocks cost the same wherever they stand."""

    input_shape: Shape

    @property
    def input(self) -> Input:
        """What the block takes: a map, unless it says otherwise."""
        return Input.of_images(self.input_shape)

    @property
    @abstractmethod
    def output_shape(self) -> Shape:
        """Channels, height, width that the block makes of its input; a head makes ``(width, 1, 1)``."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The block as a module, freshly initialised."""


@dataclass(frozen=True)
class Plan:
    """The blocks of a student by stage; the first entry is the stem and the last the head."""

    stages: tuple[tuple[str, tuple[Block, ...]], ...]
    inner: tuple[tuple[str, Shape], ...] = ()
    """Path and shape of the maps inside a network that is one block, where features can be tapped instead."""
    weight_bytes: int = 4
    """Bytes that one weight takes in the file that ships."""
    integers: tuple[bool, ...] = ()
    """For each block whether integers of 8 bits compute it; empty where none is quantised."""
    per_channel: bool | None = None
    """Whether each output channel of a quantised weight has a scale of its own; None where none is quantised."""

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks in the order of execution."""
        return tuple(block for _, blocks in self.stages for block in blocks)

    @cached_property
    def block_names(self) -> tuple[str, ...]:
        """What each block is called: the path of its module, ``stage2.0``."""
        return tuple(f"{name}.{place}" for name, blocks in self.stages for place in range(len(blocks)))

    @property
    def input_shape(self) -> Shape:
        """Shape of one input."""
        return self.blocks[0].input_shape

    def maps(self) -> dict[str, Shape]:
        """The shapes of the features that can be tapped by their names, without stem, projector and head."""
        between = {name: blocks[-1].output_shape for name, blocks in self.stages[1:-1] if name != PROJECTOR}
        return between | dict(self.inner)

    def stage_names(self) -> tuple[str, ...]:
        """The names under which features can be tapped."""
        return tuple(self.maps())

    def build(self) -> Iterator[tuple[str, nn.Module]]:
        """The stages as modules by name, freshly initialised."""
        for name, blocks in self.stages:
            yield name, nn.Sequential(*(block.build() for block in blocks))


class Stage(Protocol):
    """What a recipe says of a stage of a family, at least."""

    @property
    def depth(self) -> int:
        """How many blocks it has."""

    @property
    def stride(self) -> int | None:
        """That of its first block."""


S = TypeVar("S", bound=Stage)


def map_shape(signature: Signature) -> Shape:
    """Channels, height, width of what a network of images takes."""
    channels, height, width = signature.input.shape
    return (channels, height, width)


def staged(
    stem: Block, stages: Sequence[S], block: Callable[[Shape, S, int, int], Block]
) -> tuple[tuple[tuple[str, tuple[Block, ...]], ...], Shape]:
    """A stem and the stages behind it, as a plan lists them, and the shape of the last map.

    Args:
        stem: The first block.
        stages: What the recipe says of each stage. The stride of its first block is 1 in the first stage and 2 in the
            others unless it says otherwise.
        block: ``(input shape, stage, its index, stride)`` to a block of it.
    """
    parts: list[tuple[str, tuple[Block, ...]]] = [("stem", (stem,))]
    shape = stem.output_shape
    for index, stage in enumerate(stages):
        stride = stage.stride or (1 if index == 0 else 2)
        blocks: list[Block] = []
        for position in range(stage.depth):
            blocks.append(block(shape, stage, index, stride if position == 0 else 1))
            shape = blocks[-1].output_shape
        parts.append((f"stage{index + 1}", tuple(blocks)))
    return tuple(parts), shape


def strided(size: int, stride: int) -> int:
    """Size after a same-padded convolution."""
    return -(-size // stride)


def scaled(channels: int, width: float, divisor: int = 8) -> int:
    """Channels times ``width``, rounded to a multiple of ``divisor`` but never down by more than a tenth.

    A width of 1 leaves the number as it is. The rule is that of the published MobileNets.
    """
    if width == 1:
        return channels
    rounded = max(divisor, int(channels * width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels * width else rounded + divisor
