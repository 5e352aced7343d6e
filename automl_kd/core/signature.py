"""The signature of a network: what it takes and what it answers, which all that builds, runs or prices it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # torch takes seconds
    from torch import Generator, Tensor

DType = Literal["float32", "int64"]
Meaning = Literal["categorical", "bernoulli", "real"]
"""What the numbers of an output are: logits of one distribution over all, logits of a yes or no each, or values."""

IMAGE_AXES = ("channel", "height", "width")
TEXT_AXES = ("position",)


@dataclass(frozen=True)
class Input:
    """The input of a network, without its batch axis.

    Attributes:
        name: In an ONNX file.
        shape: Of one example.
        axes: What each axis of the shape is, for example ``("channel", "height", "width")``: a student family says
            which axes it takes.
        dtype: Of a number in it.
        ids: How many different whole numbers there are, from 0, where the input holds ids; None where it holds values.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    dtype: DType = "float32"
    ids: int | None = None

    @classmethod
    def of_images(cls, shape: tuple[int, ...]) -> Input:
        """That of a network of images, or of maps, of these channels, height and width."""
        return cls("input", tuple(shape), IMAGE_AXES)

    def noise(self, count: int, generator: Generator | None = None) -> Tensor:
        """Random examples (count, *shape) that a network of this input takes: normal values, or uniform ids."""
        import torch

        if self.ids is not None:
            return torch.randint(self.ids, (count, *self.shape), generator=generator)
        return torch.randn(count, *self.shape, generator=generator)

    def zeros(self, count: int) -> Tensor:
        """Examples (count, *shape) of zeros."""
        import torch

        return torch.zeros(count, *self.shape, dtype=getattr(torch, self.dtype))


@dataclass(frozen=True)
class Output:
    """The output of a network: a row of numbers for each example.

    Attributes:
        name: In an ONNX file: ``logits`` or ``values``.
        width: How many numbers.
        meaning: What they are.
        mean: Of real values in the labels' unit, one a number; empty for logits. A network adds it at its end, so that
            what it learns has a mean of 0.
        std: Their standard deviations, by which a network multiplies at its end and losses divide.
    """

    name: str
    width: int
    meaning: Meaning = "categorical"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True)
class Signature:
    """What a network takes and what it answers.

    >>> images = Signature.of_images((1, 8, 8), 10)
    >>> images.input.axes, images.output.meaning
    (('channel', 'height', 'width'), 'categorical')
    """

    input: Input
    output: Output

    @classmethod
    def of_images(cls, shape: tuple[int, ...], classes: int) -> Signature:
        """That of a classifier of images.

        Args:
            shape: Channels, height, width.
            classes: Number of logits.
        """
        return cls(Input.of_images(shape), Output("logits", classes))

    def with_shape(self, shape: tuple[int, ...]) -> Signature:
        """The same for inputs of another shape."""
        return replace(self, input=replace(self.input, shape=tuple(shape)))

    def with_width(self, width: int) -> Signature:
        """The same with another number of outputs."""
        return replace(self, output=replace(self.output, width=width))
