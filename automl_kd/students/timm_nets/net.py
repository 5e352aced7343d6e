"""Networks of timm without their classifiers, as chains of stages."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import nn

from automl_kd.core import UserError, first_line, import_extra, unknown
from automl_kd.students.plans import Shape
from automl_kd.students.timm_nets.chain import Chain, find_chain
from automl_kd.students.timm_nets.fixed_padding import Padding, Paddings, recorded_paddings
from automl_kd.students.timm_nets.narrowing import narrow
from automl_kd.students.timm_nets.shapes import OnlyShapes

_NETWORKS_KEPT = 64
"""More than a space has, in all its widths: without numbers each takes a megabyte."""
_WALKS_KEPT = 512

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Net:
    """A network of timm.

    Attributes:
        model: Its name there.
        channels: Of its images.
        width: By which it is narrowed; None where it is not.
    """

    model: str
    channels: int
    width: float | None = None

    def stages(self) -> nn.Sequential:
        """Its stages by name with fresh weights, on the device on which modules are made.

        Raises:
            UserError: If it is no chain or cannot be narrowed.
        """
        if torch.empty(0).is_meta:
            return copy.deepcopy(template(self).stages)
        return self.split(self.create())[0]

    def create(self, classes: int = 0, **settings: Any) -> nn.Module:
        """The whole network as timm makes it; without ``classes`` it ends in features.

        Raises:
            UserError: If timm is not installed or knows no such network.
        """
        timm = _known(self.model)
        try:
            network: nn.Module = timm.create_model(
                self.model, pretrained=False, in_chans=self.channels, num_classes=classes, **settings
            )
        except Exception as error:  # timm raises what its many networks raise
            raise UserError(f"student.model: timm cannot build {self.model}: {first_line(error)}") from None
        return network

    def split(self, network: nn.Module) -> tuple[nn.Sequential, torch.Tensor | None]:
        """The stages of a network as :meth:`create` makes it, narrowed, and which channels of its last map are left.

        Raises:
            UserError: As :meth:`stages`.
        """
        return self.narrowed(self.chain().split(network))

    def narrowed(self, stages: nn.Sequential) -> tuple[nn.Sequential, torch.Tensor | None]:
        """The stages of the whole network, narrowed in place, and which channels of its last map are left.

        Raises:
            UserError: If it cannot be narrowed.
        """
        if self.width is None:
            return stages, None
        try:
            return stages, narrow(stages, self.width)
        except UserError as error:
            raise UserError(f"student.width: {self.model} {error}: leave width out") from None

    def chain(self) -> Chain:
        """The paths of its parts by stage.

        Raises:
            UserError: If it is no chain.
        """
        chain = template(Net(self.model, self.channels)).chain
        if chain is None:
            raise UserError(f"student.model: {self.model} is no chain of stages")
        return chain


@dataclass(frozen=True)
class Template:
    """A network without numbers; nobody changes it.

    Attributes:
        chain: None where it is none.
        stages: On the meta device; empty where it is no chain.
        points: Paths of the parts whose maps are worth tapping.
        size: Height and width of the images that it was made for.
    """

    chain: Chain | None
    stages: nn.Sequential
    points: tuple[str, ...]
    size: tuple[int, int]


# Pricing asks for the same networks again and again, at all cuts, and each takes a quarter of a second to make and a
# tenth to walk. Both are functions of their arguments alone; they are kept here and not in plans, because a study holds
# thousands of these.
@functools.lru_cache(maxsize=_NETWORKS_KEPT)
def template(net: Net) -> Template:
    """A network without numbers.

    Raises:
        UserError: As :meth:`Net.create`; or if it cannot be narrowed.
    """
    if net.width is not None:
        whole = template(Net(net.model, net.channels))
        return replace(whole, stages=net.narrowed(copied(whole.stages))[0])
    with torch.device("meta"), OnlyShapes():
        network = net.create().eval()
        settings: Mapping[str, Any] = getattr(network, "pretrained_cfg", {})
        size = tuple(settings.get("input_size", (3, 224, 224))[1:])
        points = tuple(str(each["module"]) for each in _feature_info(network) if each.get("module"))
        chain = find_chain(network, points, (net.channels, *size))
        return Template(chain, nn.Sequential() if chain is None else chain.split(network), points, size)


@dataclass(frozen=True)
class Walked:
    """A stage of a network at one resolution: what it takes, what it gives, what is padded in it."""

    name: str
    takes: Shape
    gives: Shape
    paddings: Paddings


@functools.lru_cache(maxsize=_WALKS_KEPT)
def walk(net: Net, shape: Shape) -> tuple[Walked, ...]:
    """The stages of a chain for images of a shape.

    Raises:
        UserError: If it does not take such images, or cannot be narrowed.
    """
    found: list[Walked] = []
    for name, stage in template(net).stages.named_children():
        paddings: dict[str, Padding] = {}
        try:
            with torch.no_grad(), OnlyShapes(), recorded_paddings(stage, paddings):
                output = stage(torch.empty(1, *shape, device="meta"))
        except RuntimeError as error:
            first = found[0].takes if found else shape
            raise UserError(
                f"student.resolution: {net.model} does not take images of {first[1]}x{first[2]} pixels, of which"
                f" {name} gets {shape[1]}x{shape[2]} ({first_line(error)}): use more"
            ) from None
        _, channels, height, width = output.shape
        found.append(Walked(name, shape, (channels, height, width), tuple(paddings.items())))
        shape = found[-1].gives
    return tuple(found)


def copied(module: M) -> M:
    """A copy of the structure of a module, whose tensors are shared.

    A template is copied for every stage that is priced; ``deepcopy`` takes ten times as long, as it goes through all
    that modules hold.
    """
    return _copied(module, {})


def _copied(module: M, made: dict[int, nn.Module]) -> M:
    if id(module) not in made:
        twin = made[id(module)] = type(module).__new__(type(module))
        own = {name: value.copy() if isinstance(value, dict | set) else value for name, value in vars(module).items()}
        vars(twin).update(own)
        twin._modules = {name: None if part is None else _copied(part, made) for name, part in module._modules.items()}
    return cast(M, made[id(module)])


def settings_of(model: str) -> Any:
    """What timm says of the published weights of a network (its ``PretrainedCfg``); None where there are none."""
    return _known(model).get_pretrained_cfg(model)


def _known(model: str) -> Any:
    """The package, which knows such a network."""
    timm = import_extra("timm", "timm", f"student.model: {model}")
    if not timm.is_model(model):
        raise UserError(f"student.model: {unknown('model of timm', model, timm.list_models())}")
    return timm


def _feature_info(network: nn.Module) -> list[dict[str, Any]]:
    found = getattr(network, "feature_info", [])
    return list(found if isinstance(found, list) else found.info)
