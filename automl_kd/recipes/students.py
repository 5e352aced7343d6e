"""The recipe's ``student``, one class a family. The networks are in ``automl_kd.students``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from automl_kd.recipes.part import Part

Channels = Annotated[int, Field(ge=1, le=8192)]
Depth = Annotated[int, Field(ge=1, le=64)]
Stride = Literal[1, 2]
Width = Annotated[float, Field(gt=0, le=8)]


class Projector(Part):
    """A bottleneck (1x1, 3x3, 1x1) that brings the last map to ``channels`` before the classifier.

    With SimKD (Chen et al. 2022, arXiv:2203.14001) it is delivered with the student, in front of the teacher's own
    classifier; ``reduction`` divides ``channels`` inside.
    """

    channels: Channels
    reduction: Annotated[int, Field(ge=1, le=64)] = 2


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


class ResNet(Part):
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


class MobileNet(Part):
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


class ModelSpace(Part):
    """A model space of NNI 3 (``nni.nas.nn.pytorch.ModelSpace``) with all of its choices made.

    ``model`` names the class: ``package.module:Class`` of an installed package, or ``file.py:Class`` of the user's own,
    which only runs where that is allowed and is held to its hash. ``choices`` has the value of every label; what hangs
    on a choice may stand below it. ``arguments`` go to the class.
    """

    family: Literal["nni"]
    model: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    choices: dict[str, Any] = Field(default_factory=dict)
    projector: None = None

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


Student = Annotated[ResNet | MobileNet | ModelSpace, Field(discriminator="family")]
