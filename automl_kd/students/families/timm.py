"""The convolutional networks of timm (Wightman 2019, github.com/huggingface/pytorch-image-models), whole or in part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from automl_kd.core import IMAGE_AXES, Signature, UserError, first_line
from automl_kd.recipes.students import Projector, Start, StudentPart
from automl_kd.students.family import FAMILIES, Family, Inherited, Published
from automl_kd.students.inner_maps import inner_maps
from automl_kd.students.layers import Classifier, Unit, ending
from automl_kd.students.plans import HEAD, Block, Plan, Shape, map_shape
from automl_kd.students.student import StudentModule
from automl_kd.students.timm_nets.chain import TAIL
from automl_kd.students.timm_nets.fixed_padding import Paddings, fix_paddings
from automl_kd.students.timm_nets.net import Net, Walked, copied, template, walk
from automl_kd.students.timm_nets.weights import Places, Statistics, inherit_chain, inherit_whole, published


class Timm(StudentPart):
    """A network of timm, by its name there, with our head in place of its own.

    ``cut`` keeps its stem and so many of its stages, without what is between the last stage and the head. ``width``
    narrows it: of the channels of every layer so many times as many stay, in multiples of 8; where it starts from
    weights, those with the largest filters.
    """

    family: Literal["timm"]
    model: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")]
    cut: Annotated[int, Field(ge=1, le=64)] | None = None
    width: Annotated[float, Field(gt=0, le=1)] | None = None
    projector: Projector | None = None

    @property
    def title(self) -> str:
        return self.model

    @property
    def net(self) -> tuple[str, float | None]:
        """What decides the network before it is cut: equal ones share their stages."""
        return self.model, None if self.width == 1 else self.width


def plan(spec: Timm, signature: Signature, allow_code: bool = False) -> Plan:
    """The stages of a network of timm; where it is no chain of stages one block, whose maps can be tapped.

    Args:
        spec: The recipe's student part.
        signature: Images in; what comes out.
        allow_code: Not read: nothing of the user's runs.

    Raises:
        UserError: If timm is not installed or has no such network; if it cannot be cut or narrowed, or not there; or if
            it does not take such images.
    """
    shape = map_shape(signature)
    model, width = spec.net
    if template(Net(model, shape[0])).chain is None:
        return _one_block(spec, signature)
    net = Net(model, shape[0], width)
    stages = _kept(spec, walk(net, shape))
    parts = [(each.name, (Stage(each.takes, net, each.name, each.gives, each.paddings),)) for each in stages]
    tail: tuple[Block, ...] = parts.pop()[1] if stages[-1].name == TAIL else ()
    *before, (last, blocks) = ending(stages[-1].gives, signature.output, spec.projector)
    return ChainPlan((*parts, *before, (last, (*tail, *blocks))))


def _kept(spec: Timm, stages: Sequence[Walked]) -> Sequence[Walked]:
    """What is left of a network's stages; a projector stands in the place of its tail."""
    chain = [each for each in stages if each.name != TAIL]
    most = len(chain) - 1
    if spec.cut is not None and spec.cut > most:
        raise UserError(f"student.cut: {spec.model} has {most} stages: use 1 to {most}, or leave cut out for all of it")
    if spec.cut is not None:
        return chain[: spec.cut + 1]
    return chain if spec.projector is not None else stages


@dataclass(frozen=True)
class Stage(Block):
    """A stage of a network of timm.

    Attributes:
        net: The network.
        name: Of the stage.
        gives: Channels, height, width of its map.
        paddings: Of its convolutions whose padding hangs on the size of their input.
    """

    net: Net
    name: str
    gives: Shape
    paddings: Paddings

    @property
    def output_shape(self) -> Shape:
        return self.gives

    def build(self) -> nn.Module:
        if torch.empty(0).is_meta:
            stage = copied(template(self.net).stages.get_submodule(self.name))
            return self._padded(stage.train())
        return self.out_of(self.net.stages())

    def out_of(self, stages: nn.Sequential) -> nn.Module:
        """The stage as part of the network."""
        return self._padded(stages.get_submodule(self.name))

    def _padded(self, stage: nn.Module) -> nn.Module:
        fix_paddings(stage, self.paddings)
        return stage


@dataclass(frozen=True)
class ChainPlan(Plan):
    """Stages of one network, which are built together: so timm initialises them, and once."""

    def build(self) -> Iterator[tuple[str, nn.Module]]:
        stages = next(block.net for block in self.blocks if isinstance(block, Stage)).stages()
        for name, blocks in self.stages:
            modules = (block.out_of(stages) if isinstance(block, Stage) else block.build() for block in blocks)
            yield name, nn.Sequential(*modules)


def _one_block(spec: Timm, signature: Signature) -> Plan:
    for field in ("cut", "width", "projector"):
        if getattr(spec, field) is not None:
            raise UserError(
                f"student.{field}: {spec.model} is no chain of stages and can only be taken whole: leave {field} out"
            )
    output = signature.output
    block = Whole(map_shape(signature), spec.model, output.width)
    unit = (("unit", (Unit((output.width,), output.mean, output.std),)),) if output.meaning == "real" else ()
    return Plan((("model", (block,)), *unit), block.maps())


@dataclass(frozen=True)
class Whole(Block):
    """A network of timm that is no chain of stages, with timm's own head."""

    model: str
    classes: int

    @property
    def output_shape(self) -> Shape:
        return (self.classes, 1, 1)

    def build(self) -> nn.Module:
        net, size = Net(self.model, self.input_shape[0]), self.input_shape[1:]
        if size == template(net).size:
            return net.create(self.classes)
        try:
            return net.create(self.classes, img_size=size)
        except UserError:  # most take any size and know no such argument
            return net.create(self.classes)

    def maps(self) -> tuple[tuple[str, Shape], ...]:
        """Path and shape of the maps of several pixels at its feature points, in the order of execution."""
        with torch.device("meta"):
            network = self.build().eval()
            images = torch.empty(1, *self.input_shape)
        parts = {path: network.get_submodule(path) for path in template(Net(self.model, self.input_shape[0])).points}
        try:
            with torch.no_grad():
                _, found = inner_maps(network, parts, images)
        except (RuntimeError, AssertionError) as error:
            size = "x".join(map(str, self.input_shape[1:]))
            raise UserError(
                f"student.resolution: {self.model} does not take images of {size} pixels: {first_line(error)}"
            ) from None
        return tuple((f"model.0.{name}", shape) for name, shape in found.items())


def inherit(spec: Timm, signature: Signature, tensors: Mapping[str, Tensor]) -> Inherited:
    """What a student takes of weights of its network, by timm's names or others', or of a student like it.

    Args:
        spec: The recipe's student part.
        signature: What it takes and answers.
        tensors: Of the file, by name.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    built = plan(spec, signature)
    images = Statistics.of(spec.model, spec.start)
    with torch.device("meta"):
        student = StudentModule(built)
    own = student.state_dict()
    if own.keys() == tensors.keys() and all(tensors[name].shape == own[name].shape for name in own):
        return Inherited(tensors, (), "names of automl-kd", False, *_said(spec.start))
    first = built.blocks[0]
    if isinstance(first, Whole):
        net = Net(first.model, first.input_shape[0])
        return inherit_whole(net, student.get_submodule("model.0"), "model.0", images, tensors)
    assert isinstance(first, Stage)
    return inherit_chain(first.net, _places(spec, built), images, tensors)


def _said(start: Start | None) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    return (None, None) if start is None else (start.mean, start.std)


def _places(spec: Timm, built: Plan) -> Places:
    stages = {
        block.name: f"{stage}.{place}"
        for stage, blocks in built.stages
        for place, block in enumerate(blocks)
        if isinstance(block, Stage)
    }
    _, head = built.stages[-1]
    last = head[-1]
    same = isinstance(last, Classifier) and spec.cut is None and spec.projector is None
    return Places(stages, f"{HEAD}.{len(head) - 1}.linear" if same else None, last.output_shape[0])


def _published(spec: Timm) -> Published | None:
    return published(spec.model)


FAMILIES.add("timm", Family(part=Timm, axes=IMAGE_AXES, plan=plan, inherit=inherit, published=_published))
