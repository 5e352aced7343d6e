"""Inverted residuals with free kernel, expansion and squeeze-excite (Sandler et al. 2018, arXiv:1801.04381)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import IMAGE_AXES, Signature
from automl_kd.recipes import Part
from automl_kd.recipes.students import Channels, Depth, Projector, Stride, StudentPart, Width
from automl_kd.students.family import FAMILIES, Family, Inherited, Published
from automl_kd.students.layers import ConvNorm, ending, head
from automl_kd.students.plans import Block, Plan, Shape, map_shape, scaled, staged, strided
from automl_kd.students.weights.inheriting import INPUT, Anatomy, Layer, conv_norm, projector_layers
from automl_kd.students.weights.inheriting import inherit as inherit_layers


class MobileNetStem(Part):
    """A 3x3 convolution before the first stage."""

    channels: Channels = 32
    stride: Stride = 2


class MobileNetStage(Part):
    """``depth`` inverted residual blocks; ``squeeze_excite`` adds a gate after the depthwise convolution.

    ``channels`` defaults to 16, 32, 64, … by stage, and ``stride`` of the first block to 1 in the first stage, 2 after.
    """

    depth: Depth
    kernel: Literal[3, 5, 7] = 3
    expand: Annotated[float, Field(ge=1, le=12)] = 6
    channels: Channels | None = None
    stride: Stride | None = None
    squeeze_excite: bool = False


class MobileNet(StudentPart):
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), with kernel size and squeeze-excite free by stage.

    Without ``stages`` it is the published network. ``width`` multiplies channels and rounds them to multiples of 8;
    ``head`` is the width of the last pointwise convolution, 0 for none; a ``projector`` stands in its place.
    """

    family: Literal["mobilenet"]
    width: Width = 1.0
    stem: MobileNetStem = MobileNetStem()
    stages: tuple[MobileNetStage, ...] | None = Field(default=None, min_length=1, max_length=12)
    head: Annotated[int, Field(ge=0, le=8192)] = 1280
    projector: Projector | None = None


# Expansion, channels, depth, stride: table 2 of the paper.
_PUBLISHED = tuple(
    MobileNetStage(expand=expand, channels=channels, depth=depth, stride=stride)
    for expand, channels, depth, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
)
_SQUEEZE = 4
# Width of each published network, and the training whose weights timm gives by default.
_PUBLISHED_AS = {0.5: "050.lamb_in1k", 1.0: "100.ra_in1k", 1.4: "140.ra_in1k"}


def plan(spec: MobileNet, signature: Signature, allow_code: bool = False) -> Plan:
    """The blocks of a network of inverted residuals.

    Args:
        spec: The recipe's student part.
        signature: Images in; what comes out.
        allow_code: Not read: nothing of the user's runs.
    """
    stem = Convolution(map_shape(signature), scaled(spec.stem.channels, spec.width), 3, spec.stem.stride)

    def inverted(shape: Shape, stage: MobileNetStage, index: int, stride: int) -> Block:
        channels = scaled(stage.channels or 16 * 2**index, spec.width)
        hidden = round(shape[0] * stage.expand)
        return InvertedResidual(shape, channels, stage.kernel, stride, hidden, stage.squeeze_excite)

    parts, shape = staged(stem, spec.stages or _PUBLISHED, inverted)
    if spec.head and spec.projector is None:
        # The published rule: the last convolution never shrinks with the width, only grows.
        last = Convolution(shape, scaled(spec.head, max(1.0, spec.width)), 1, 1)
        return Plan((*parts, ("head", (last, head(last.output_shape, signature.output)))))
    return Plan((*parts, *ending(shape, signature.output, spec.projector)))


@dataclass(frozen=True)
class Convolution(Block):
    """A convolution with batch normalisation and ReLU6."""

    channels: int
    kernel: int
    stride: int

    @property
    def output_shape(self) -> Shape:
        return (self.channels, strided(self.input_shape[1], self.stride), strided(self.input_shape[2], self.stride))

    def build(self) -> nn.Module:
        return ConvNorm(self.input_shape[0], self.channels, self.kernel, self.stride, activation=nn.ReLU6)


@dataclass(frozen=True)
class InvertedResidual(Block):
    """Pointwise expansion to ``hidden`` channels, depthwise convolution, optional gate, linear projection."""

    channels: int
    kernel: int
    stride: int
    hidden: int
    squeeze_excite: bool

    @property
    def expands(self) -> bool:
        """Whether there is a pointwise expansion."""
        return self.hidden != self.input_shape[0]

    @property
    def skips(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.input_shape[0] == self.channels

    @property
    def output_shape(self) -> Shape:
        return (self.channels, strided(self.input_shape[1], self.stride), strided(self.input_shape[2], self.stride))

    def build(self) -> nn.Module:
        inputs = self.input_shape[0]
        layers: list[nn.Module] = []
        if self.expands:
            layers.append(ConvNorm(inputs, self.hidden, activation=nn.ReLU6))
        layers.append(ConvNorm(self.hidden, self.hidden, self.kernel, self.stride, self.hidden, nn.ReLU6))
        if self.squeeze_excite:
            layers.append(SqueezeExcite(self.hidden, max(1, self.hidden // _SQUEEZE)))
        layers.append(ConvNorm(self.hidden, self.channels, activation=None))
        body = nn.Sequential(*layers)
        return Skip(body) if self.skips else body


class Skip(nn.Module):
    """x + body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.body(features)
        return result


class SqueezeExcite(nn.Module):
    """Channel gate from the spatial mean (Hu et al. 2018, arXiv:1709.01507), hard sigmoid as in MobileNetV3."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(features, 1)
        gate = functional.hardsigmoid(self.excite(functional.relu(self.squeeze(pooled))))
        return features * gate


def inherit(spec: MobileNet, signature: Signature, tensors: Mapping[str, Tensor]) -> Inherited:
    """What a student takes of a MobileNetV2 of torchvision or timm, or of a network of this family."""
    network = plan(spec, signature)
    return inherit_layers(_anatomy(network), network, spec.start, tensors)


def published(spec: MobileNet) -> Published | None:
    """The ImageNet weights of the published network that is as wide, or else the next wider one."""
    width = next((width for width in _PUBLISHED_AS if width >= spec.width), None)
    if spec.stages is not None or width is None:
        return None
    tagged = f"mobilenetv2_{_PUBLISHED_AS[width]}"
    return Published(tagged.partition(".")[0], f"timm/{tagged}", ("mobilenet_v2",) if width == 1 else ())


def _anatomy(network: Plan) -> Anatomy:
    _, *stages, (_, ends) = network.stages
    trunk = [*conv_norm("stem.0", INPUT, "stem", ("features.0.0", "features.0.1"), ("conv_stem", "bn1"))]
    chain, number = "stem", 0
    for stage, (name, blocks) in enumerate(stages):
        for position, block in enumerate(blocks):
            if isinstance(block, InvertedResidual):
                number += 1
                output = chain if block.skips else f"{name}.{position}"
                timm = f"blocks.{stage}.{position}"
                trunk += _inverted(block, f"{name}.{position}", f"features.{number}.conv", timm, chain, output)
                chain = output
    last = f"features.{number + 1}"
    projector, chain = projector_layers(network, chain)
    if len(ends) > 1:
        trunk += conv_norm("head.0", chain, "last", (f"{last}.0", f"{last}.1"), ("conv_head", "bn2"))
        chain = "last"
    classifier = Layer(f"head.{len(ends) - 1}.linear", chain, "classes", ("classifier.1", "classifier"))
    spare = ("classifier.", "conv_head.", "bn2.", f"{last}.", "head.", "projector.")
    gated = any(isinstance(block, InvertedResidual) and block.squeeze_excite for block in network.blocks)
    return Anatomy(tuple(trunk), (*projector, classifier), () if gated else ("torchvision", "timm"), spare)


def _inverted(block: InvertedResidual, name: str, torchvision: str, timm: str, chain: str, output: str) -> list[Layer]:
    body = f"{name}.body" if block.skips else name
    hidden = f"{name}.hidden" if block.expands else chain
    layers: list[Layer] = []
    index = 0
    if block.expands:
        layers += conv_norm(
            f"{body}.0", chain, hidden, (f"{torchvision}.0.0", f"{torchvision}.0.1"), (f"{timm}.conv_pw", f"{timm}.bn1")
        )
        index = 1
    layers += conv_norm(
        f"{body}.{index}",
        None,
        hidden,
        (f"{torchvision}.{index}.0", f"{torchvision}.{index}.1"),
        (f"{timm}.conv_dw", f"{timm}.bn{index + 1}"),
    )
    index += 1
    pointwise = f"{timm}.conv_pwl" if block.expands else f"{timm}.conv_pw"
    published = (
        (f"{torchvision}.{index}", f"{torchvision}.{index + 1}"),
        (pointwise, f"{timm}.bn{index + 1}"),
    )
    if block.squeeze_excite:
        squeezed = f"{name}.squeezed"
        layers.append(Layer(f"{body}.{index}.squeeze", hidden, squeezed))
        layers.append(Layer(f"{body}.{index}.excite", squeezed, hidden))
        index += 1
    return [*layers, *conv_norm(f"{body}.{index}", hidden, output, *published)]


FAMILIES.add("mobilenet", Family(part=MobileNet, axes=IMAGE_AXES, plan=plan, inherit=inherit, published=published))
