"""What students of timm's networks take of files of weights."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl_kd.core import UserError
from automl_kd.recipes import Start
from automl_kd.students.family import Inherited, Published
from automl_kd.students.timm_nets.names import Named, aliases, named_as_timm
from automl_kd.students.timm_nets.net import Net, settings_of
from automl_kd.students.weights.inheriting import JOINED, join_colours, sees_colours
from automl_kd.students.weights.state_dict import COUNTERS


@functools.lru_cache(maxsize=256)
def published(model: str) -> Published | None:
    """The published weights of a network of timm."""
    settings = settings_of(model)
    if settings is None or not settings.has_weights:
        return None
    return Published(model, settings.hf_hub_id or None, aliases(model))


@dataclass(frozen=True)
class Places:
    """Where a student has what a network of timm has.

    Attributes:
        stages: The student's name of each stage of the network that it keeps.
        classifier: The student's name of the linear layer that can be inherited; None where it has none like it.
        classes: Number of its outputs.
    """

    stages: Mapping[str, str]
    classifier: str | None
    classes: int


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation by which the images of weights were normalised, by colour; None where not known."""

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    @classmethod
    def of(cls, model: str, start: Start | None) -> Statistics:
        """As a recipe says, or else timm says of the network."""
        if start is not None and start.mean is not None:
            return cls(start.mean, start.std)
        settings = settings_of(model)
        return cls(None, None) if settings is None else cls(settings.mean, settings.std)


def inherit_chain(net: Net, places: Places, images: Statistics, tensors: Mapping[str, Tensor]) -> Inherited:
    """What the stages of a network take of a file.

    Args:
        net: The network.
        places: Where the student has its stages.
        images: That the weights know.
        tensors: Of the file, by name.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    with torch.device("meta"):
        network = net.create(places.classes).eval()  # with a classifier, for the names of its tensors
    own, chain = network.state_dict(), net.chain()
    named = named_as_timm(net.model, own, tensors)
    where = {name: chain.renamed(name) for name in own}
    needed = [name for name in own if (place := where[name]) and place.partition(".")[0] in places.stages]
    found, words = _checked(net, named, network, needed, images)
    network.load_state_dict(
        {name: found[name] for name in own if where[name] and name in found}, strict=False, assign=True
    )
    stages, left = net.split(network)
    state: dict[str, Tensor] = {}
    for name, tensor in stages.state_dict().items():
        stage, _, rest = name.partition(".")
        if stage in places.stages and not tensor.is_meta:
            state[f"{places.stages[stage]}.{rest}"] = tensor.contiguous()
    state |= (head := _classifier(net, places, found, left))
    if not head:
        words.append("the head is learned anew")
    if net.width is not None:
        words.append(f"narrowed to {net.width:g} of the channels")
    taken = {*needed, *(_ends(net) if head else ())}
    unused = tuple(named.in_file(name) for name in found if name not in taken)
    return Inherited(state, unused, "; ".join(words), net.width is not None, images.mean, images.std)


def inherit_whole(
    net: Net, network: nn.Module, prefix: str, images: Statistics, tensors: Mapping[str, Tensor]
) -> Inherited:
    """What a student that is a whole network of timm takes of a file.

    Args:
        net: The network.
        network: As the student has it, on the meta device.
        prefix: What stands before its names in the student.
        images: That the weights know.
        tensors: Of the file, by name.

    Raises:
        UserError: As :func:`inherit_chain`.
    """
    own, ends = network.state_dict(), _ends(net)
    named = named_as_timm(net.model, own, tensors)
    head = all(name in named.tensors and named.tensors[name].shape == own[name].shape for name in ends)
    needed = [name for name in own if head or name not in ends]
    found, words = _checked(net, named, network, needed, images)
    if not head:
        words.append("the head is learned anew")
    state = {f"{prefix}.{name}": found[name] for name in needed if name in found}
    unused = tuple(named.in_file(name) for name in found if name not in needed)
    return Inherited(state, unused, "; ".join(words), False, images.mean, images.std)


def _checked(
    net: Net, named: Named, network: nn.Module, needed: list[str], images: Statistics
) -> tuple[dict[str, Tensor], list[str]]:
    """The file's tensors by timm's names in the network's types, with its stem for our images, and what was done."""
    own, found, words = network.state_dict(), dict(named.tensors), [f"names of {named.naming}"]
    head = _head(net)
    if net.channels == 1 and (stem := _stem(net, network)) is not None:
        conv, norm = stem
        if f"{norm}.running_mean" in found and sees_colours(found[f"{conv}.weight"]):
            join_colours(conv, norm, found, images.mean, images.std)
            words.append(JOINED)
    strange = [name for name in found if name not in own and not name.startswith(head)]
    strange = [name for name in strange if not name.endswith(COUNTERS)]
    for name in needed:
        if name not in found and not name.endswith(COUNTERS):
            instead = f" (it holds {strange[0]} instead)" if strange else ""
            shape = tuple(own[name].shape)
            raise UserError(f"lacks {named.in_file(name)}, which {net.model} needs with shape {shape}{instead}")
    if strange:
        raise UserError(f"holds {strange[0]}, which {net.model} does not have")
    for name in [name for name in own if name in found and not name.startswith(head)]:
        if found[name].shape != own[name].shape:
            theirs, ours = tuple(found[name].shape), tuple(own[name].shape)
            raise UserError(f"{named.in_file(name)} has shape {theirs}, but {net.model} needs {ours}")
        found[name] = found[name].to(own[name].dtype)
    return found, words


def _stem(net: Net, network: nn.Module) -> tuple[str, str] | None:
    """The names of the first convolution of a network and of the batch normalisation behind it."""
    settings = settings_of(net.model)
    names = [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d | _BatchNorm)]
    if settings is None or settings.first_conv not in names[:-1]:
        return None
    norm = names[names.index(settings.first_conv) + 1]
    return (settings.first_conv, norm) if isinstance(network.get_submodule(norm), _BatchNorm) else None


def _classifier(net: Net, places: Places, found: Mapping[str, Tensor], left: Tensor | None) -> dict[str, Tensor]:
    """The student's classifier out of the file; empty where that has another number of classes."""
    weight, bias = (found.get(name) for name in _ends(net))
    if places.classifier is None or weight is None or bias is None or len(weight) != places.classes:
        return {}
    taken = weight.flatten(1) if left is None else weight.flatten(1)[:, left]
    return {f"{places.classifier}.weight": taken.float().contiguous(), f"{places.classifier}.bias": bias.float()}


def _head(net: Net) -> tuple[str, ...]:
    """What the names of a network's own classifiers begin with."""
    settings = settings_of(net.model)
    names = () if settings is None else settings.classifier
    return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names or ()))


def _ends(net: Net) -> tuple[str, str]:
    """The names of weight and bias of a network's own classifier."""
    prefix = next(iter(_head(net)), "classifier.")
    return f"{prefix}weight", f"{prefix}bias"
