"""Residual networks, basic and bottleneck (He et al. 2015, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import IMAGE_AXES, Signature
from automl_kd.recipes import Part
from automl_kd.recipes.students import Channels, Depth, Projector, Stride, StudentPart, Width
from automl_kd.students.family import FAMILIES, Family, Inherited, Published
from automl_kd.students.layers import ConvNorm, ending
from automl_kd.students.plans import Block, Plan, Shape, map_shape, staged, strided
from automl_kd.students.weights.inheriting import INPUT, Anatomy, Layer, conv_norm, projector_layers
from automl_kd.students.weights.inheriting import inherit as inherit_layers


class ResNetStem(Part):
    """The layers before the first stage: one convolution and, where ``pool`` is true, a 3x3 max-pool of stride 2."""

    kernel: Literal[3, 5, 7] = 3
    stride: Stride = 1
    pool: bool = False


class ResNetStage(Part):
    """``depth`` residual blocks of ``channels`` channels (before the bottleneck's expansion by 4).

    ``stride`` is that of the first block: 1 in the first stage and 2 in the others unless said otherwise.
    """

    depth: Depth
    channels: Channels
    stride: Stride | None = None


class ResNet(StudentPart):
    """Residual network (He et al. 2015, arXiv:1512.03385).

    ``depth`` alone names a published network: 18, 34, 50, 101, 152 for ImageNet, 8 to 110 (6n + 2) for CIFAR.
    ``stages`` spells one out. ``width`` multiplies all channels.
    """

    family: Literal["resnet"]
    depth: Literal[8, 14, 20, 26, 32, 44, 56, 110, 18, 34, 50, 101, 152] | None = None
    block: Literal["basic", "bottleneck"] | None = None
    width: Width = 1.0
    stem: ResNetStem | None = None
    stages: tuple[ResNetStage, ...] | None = Field(default=None, min_length=1, max_length=8)
    projector: Projector | None = None

    @model_validator(mode="after")
    def _depth_or_stages(self) -> Self:
        if (self.depth is None) == (self.stages is None):
            raise ValueError("give either depth (a published network) or stages")
        if self.depth is not None and self.block is not None:
            raise ValueError("depth decides the block; leave block out, or give stages instead of depth")
        return self


_IMAGENET_DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
_EXPANSION = 4
_IMAGENET_KERNEL = 7
# The training whose weights timm gives by default.
_PUBLISHED_AS = {18: "a1_in1k", 34: "a1_in1k", 50: "a1_in1k", 101: "a1h_in1k", 152: "a1h_in1k"}


def plan(spec: ResNet, signature: Signature, allow_code: bool = False) -> Plan:
    """The blocks of a residual network.

    Args:
        spec: The recipe's student part.
        signature: Images in; what comes out.
        allow_code: Not read: nothing of the user's runs.
    """
    block, stages, stem = _published(spec) if spec.depth is not None else _spelled_out(spec)
    first = _width(stages[0].channels, spec.width)
    first_block = Stem(map_shape(signature), first, stem.kernel, stem.stride, stem.pool)

    def residual(shape: Shape, stage: ResNetStage, index: int, stride: int) -> Block:
        return Residual(shape, _width(stage.channels, spec.width), stride, block == "bottleneck")

    parts, shape = staged(first_block, stages, residual)
    return Plan((*parts, *ending(shape, signature.output, spec.projector)))


@dataclass(frozen=True)
class Stem(Block):
    """A convolution and, where asked, a max-pool."""

    channels: int
    kernel: int
    stride: int
    pool: bool

    @property
    def output_shape(self) -> Shape:
        factor = self.stride * (2 if self.pool else 1)
        return (self.channels, strided(self.input_shape[1], factor), strided(self.input_shape[2], factor))

    def build(self) -> nn.Module:
        conv = ConvNorm(self.input_shape[0], self.channels, self.kernel, self.stride)
        return nn.Sequential(conv, nn.MaxPool2d(3, 2, 1)) if self.pool else conv


@dataclass(frozen=True)
class Residual(Block):
    """A basic (3x3, 3x3) or bottleneck (1x1, 3x3, 1x1) block with its shortcut."""

    channels: int
    stride: int
    bottleneck: bool

    @property
    def passes(self) -> bool:
        """Whether the shortcut is the input itself."""
        return self.stride == 1 and self.input_shape[0] == self.output_shape[0]

    @property
    def output_shape(self) -> Shape:
        channels = self.channels * (_EXPANSION if self.bottleneck else 1)
        return (channels, strided(self.input_shape[1], self.stride), strided(self.input_shape[2], self.stride))

    def build(self) -> nn.Module:
        inputs, outputs = self.input_shape[0], self.output_shape[0]
        if self.bottleneck:
            # The stride sits on the 3x3 convolution, as in every current implementation (ResNet "v1.5").
            body = nn.Sequential(
                ConvNorm(inputs, self.channels),
                ConvNorm(self.channels, self.channels, 3, self.stride),
                ConvNorm(self.channels, outputs, activation=None),
            )
        else:
            body = nn.Sequential(
                ConvNorm(inputs, self.channels, 3, self.stride),
                ConvNorm(self.channels, self.channels, 3, activation=None),
            )
        shortcut = nn.Identity() if self.passes else ConvNorm(inputs, outputs, 1, self.stride, activation=None)
        return ResidualModule(body, shortcut)


class ResidualModule(nn.Module):
    """relu(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.body(features) + self.shortcut(features))


def _published(spec: ResNet) -> tuple[str, tuple[ResNetStage, ...], ResNetStem]:
    assert spec.depth is not None
    if spec.depth in _IMAGENET_DEPTHS:
        block, depths = _IMAGENET_DEPTHS[spec.depth]
        stages = tuple(ResNetStage(depth=depth, channels=64 * 2**index) for index, depth in enumerate(depths))
        return block, stages, spec.stem or ResNetStem(kernel=7, stride=2, pool=True)
    repeats = (spec.depth - 2) // 6
    stages = tuple(ResNetStage(depth=repeats, channels=channels) for channels in (16, 32, 64))
    return "basic", stages, spec.stem or ResNetStem()


def _spelled_out(spec: ResNet) -> tuple[str, tuple[ResNetStage, ...], ResNetStem]:
    assert spec.stages is not None
    return spec.block or "basic", spec.stages, spec.stem or ResNetStem()


def _width(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def inherit(spec: ResNet, signature: Signature, tensors: Mapping[str, Tensor]) -> Inherited:
    """What a student takes of a residual network of torchvision or timm, or of one of this family."""
    network = plan(spec, signature)
    return inherit_layers(_anatomy(network), network, spec.start, tensors)


def published(spec: ResNet) -> Published | None:
    """The ImageNet weights of a depth, for students as wide or narrower, with the published kernel in the stem."""
    fits = spec.width <= 1 and (spec.stem is None or spec.stem.kernel == _IMAGENET_KERNEL)
    if spec.depth not in _PUBLISHED_AS or not fits:
        return None
    return Published(f"resnet{spec.depth}", f"timm/resnet{spec.depth}.{_PUBLISHED_AS[spec.depth]}")


def _anatomy(network: Plan) -> Anatomy:
    (_, (stem,)), *stages = network.stages
    assert isinstance(stem, Stem)
    trunk = [*conv_norm("stem.0.0" if stem.pool else "stem.0", INPUT, "stem", ("conv1", "bn1"))]
    chain = "stem"
    for number, (stage, blocks) in enumerate(stages, start=1):
        for position, block in enumerate(blocks):
            if isinstance(block, Residual):
                output = chain if block.passes else f"{stage}.{position}"
                trunk += _residual(block, f"{stage}.{position}", f"layer{number}.{position}", chain, output)
                chain = output
    projector, chain = projector_layers(network, chain)
    classifier = Layer("head.0.linear", chain, "classes", ("fc",))
    return Anatomy(tuple(trunk), (*projector, classifier), ("torchvision and timm",), ("fc.", "head.", "projector."))


def _residual(block: Residual, name: str, elsewhere: str, chain: str, output: str) -> list[Layer]:
    convs = 3 if block.bottleneck else 2
    layers: list[Layer] = []
    inputs = chain
    for index in range(convs):
        outputs = output if index == convs - 1 else f"{name}.body.{index}"
        published = (f"{elsewhere}.conv{index + 1}", f"{elsewhere}.bn{index + 1}")
        layers += conv_norm(f"{name}.body.{index}", inputs, outputs, published)
        inputs = outputs
    if not block.passes:
        published = (f"{elsewhere}.downsample.0", f"{elsewhere}.downsample.1")
        layers += conv_norm(f"{name}.shortcut", chain, output, published)
    return layers


FAMILIES.add("resnet", Family(part=ResNet, axes=IMAGE_AXES, plan=plan, inherit=inherit, published=published))
