"""Convolutions along a text (Kim 2014, arXiv:1408.5882), depthwise separable (Kaiser et al. 2017, arXiv:1706.03059)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from automl_kd.core import TEXT_AXES, Input, Signature, UserError
from automl_kd.recipes import Part
from automl_kd.recipes.students import Channels, Depth, Projector, Stride, StudentPart
from automl_kd.students.family import FAMILIES, Family
from automl_kd.students.layers import ConvNorm, ending
from automl_kd.students.plans import Block, Plan, Shape, staged, strided


class TextStage(Part):
    """``depth`` depthwise-separable convolutions over ``kernel`` neighbouring positions, of ``channels`` channels.

    ``stride`` is that of the first: 1 in the first stage and 2 in the others unless said otherwise.
    """

    depth: Depth
    channels: Channels
    kernel: Literal[1, 3, 5, 7, 9] = 3
    stride: Stride | None = None


class ConvText(StudentPart):
    """Convolutions along a text: a vector of ``embedding`` numbers for each token, stages, a mean over positions.

    Maps are (B, C, 1, positions). The vector of padding (id 0) is zero and stays so, and the mean counts padded
    positions: how long a text is decides, too, how far its mean is from that of an empty one.
    """

    family: Literal["conv_text"]
    embedding: Channels = 32
    stages: tuple[TextStage, ...] = Field(min_length=1, max_length=8)
    projector: Projector | None = None


def plan(spec: ConvText, signature: Signature, allow_code: bool = False) -> Plan:
    """The blocks of a network of a text.

    Args:
        spec: The recipe's student part.
        signature: Ids in; what comes out.
        allow_code: Not read: nothing of the user's runs.

    Raises:
        UserError: If the input holds values and no ids.
    """
    (length,) = signature.input.shape
    if signature.input.ids is None:
        raise UserError("student.family: conv_text takes ids of tokens, and the task gives values")
    stem = TokenVectors((length,), signature.input.ids, spec.embedding)

    def separable(shape: Shape, stage: TextStage, index: int, stride: int) -> Block:
        return Separable(shape, stage.channels, stage.kernel, stride)

    parts, shape = staged(stem, spec.stages, separable)
    return Plan((*parts, *ending(shape, signature.output, spec.projector)))


@dataclass(frozen=True)
class TokenVectors(Block):
    """A vector of ``channels`` numbers for each of ``ids`` tokens."""

    ids: int
    channels: int

    @property
    def input(self) -> Input:
        return Input("ids", self.input_shape, TEXT_AXES, "int64", self.ids)

    @property
    def output_shape(self) -> Shape:
        return (self.channels, 1, self.input_shape[0])

    def build(self) -> nn.Module:
        return Vectors(self.ids, self.channels)


class Vectors(nn.Module):
    """Ids (B, positions) to a map (B, C, 1, positions)."""

    def __init__(self, ids: int, channels: int) -> None:
        super().__init__()
        self.table = nn.Embedding(ids, channels, padding_idx=0)

    def forward(self, ids: Tensor) -> Tensor:
        vectors: Tensor = self.table(ids)
        return vectors.transpose(1, 2).unsqueeze(2)


@dataclass(frozen=True)
class Separable(Block):
    """A convolution of each channel along the positions, and one of each position across the channels."""

    channels: int
    kernel: int
    stride: int

    @property
    def output_shape(self) -> Shape:
        return (self.channels, 1, strided(self.input_shape[2], self.stride))

    def build(self) -> nn.Module:
        inputs = self.input_shape[0]
        return nn.Sequential(
            ConvNorm(inputs, inputs, (1, self.kernel), (1, self.stride), inputs),
            ConvNorm(inputs, self.channels),
        )


FAMILIES.add("conv_text", Family(part=ConvText, axes=TEXT_AXES, plan=plan))
