"""What a student takes of a file of weights: names matched by rules, channels narrowed, colours joined to grey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.recipes import Start
from automl_kd.students.family import Inherited
from automl_kd.students.plans import PROJECTOR, Plan
from automl_kd.students.student import StudentModule
from automl_kd.students.weights.state_dict import COUNTERS, find_state

INPUT = "input"
"""The chain of the channels of the images."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""By which torchvision and timm normalise the images of their convolutional networks, by channel of RGB."""
IMAGENET_STD = (0.229, 0.224, 0.225)
JOINED = "colours joined to grey"
"""Of weights whose stem :func:`join_colours` changed, for people."""
_COLOURS = 3
_PROJECTOR_CONVOLUTIONS = 3


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and what published files call it.

    Layers on one chain share their channels: a residual chain is one, because what is added has to agree.

    Attributes:
        name: In the student.
        inputs: The chain that it reads; None where it treats each channel by itself.
        outputs: The chain that it writes.
        elsewhere: Its name in each of the namings of the :class:`Anatomy`.
    """

    name: str
    inputs: str | None
    outputs: str
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Anatomy:
    """The layers of a network as files of weights know them.

    Attributes:
        trunk: The layers that must come, a convolution and its normalisation first.
        ending: Those that are taken where they fit, such as the classifier.
        namings: Who uses the names that layers have elsewhere.
        spare: Prefixes of what a file may hold for endings that the student does not have.
    """

    trunk: tuple[Layer, ...]
    ending: tuple[Layer, ...]
    namings: tuple[str, ...]
    spare: tuple[str, ...]


def conv_norm(name: str, inputs: str | None, outputs: str, *elsewhere: tuple[str, str]) -> tuple[Layer, Layer]:
    """A convolution (depthwise without ``inputs``) and its normalisation, as ``ConvNorm`` numbers them."""
    conv = Layer(f"{name}.0", inputs, outputs, tuple(first for first, _ in elsewhere))
    return conv, Layer(f"{name}.1", None, outputs, tuple(second for _, second in elsewhere))


def projector_layers(plan: Plan, chain: str) -> tuple[tuple[Layer, ...], str]:
    """The layers of a student's projector, none where it has none, and the chain that the head reads."""
    if PROJECTOR not in dict(plan.stages):
        return (), chain
    layers: list[Layer] = []
    for index in range(_PROJECTOR_CONVOLUTIONS):
        name = f"{PROJECTOR}.0.{index}"
        layers += conv_norm(name, chain, name)
        chain = name
    return tuple(layers), chain


def inherit(anatomy: Anatomy, plan: Plan, start: Start | None, tensors: Mapping[str, Tensor]) -> Inherited:
    """What a student takes of a file's tensors.

    Args:
        anatomy: The student's layers.
        plan: The student.
        start: What its recipe says of the weights, for the statistics of the images that they know.
        tensors: Of the file, by name.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    with torch.device("meta"):
        own = StudentModule(plan).state_dict()
    naming, names, found = _named(anatomy, own, tensors)
    trunk = [name for layer in anatomy.trunk for name in _tensors(layer, own)]
    _check_whole(names, found, own, trunk, anatomy.spare)
    state = {mine: found[theirs] for mine, theirs in names.items() if theirs in found}
    mean, std = _statistics(start, naming)
    words = [f"names of {naming or 'automl-kd'}"]
    conv, norm = (layer.name for layer in anatomy.trunk[:2])
    if sees_colours(state[f"{conv}.weight"]) and own[f"{conv}.weight"].shape[1] == 1:
        join_colours(conv, norm, state, mean, std)
        words.append(JOINED)
    taken, left = _ending(anatomy.ending, state, own)
    if left:
        words.append(left)
    channels = _kept_channels((*anatomy.trunk, *taken), state, own, names)
    inherited = {
        name: _narrowed(state[name], layer, channels, own[name], names[name])
        for layer in (*anatomy.trunk, *taken)
        for name in _tensors(layer, own)
        if name in state
    }
    if channels:
        words.append(f"narrowed to the channels of the largest norm in {len(channels)} places")
    used = {names[name] for name in inherited}
    unused = tuple(name for name in found if name not in used)
    return Inherited(inherited, unused, "; ".join(words), bool(channels), mean, std)


def _named(
    anatomy: Anatomy, own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    """The naming that a file follows, empty for the student's own; the student's names in it; the file's tensors."""
    layers = (*anatomy.trunk, *anatomy.ending)
    tables = {"": {name: name for layer in layers for name in _tensors(layer, own)}}
    for row, naming in enumerate(anatomy.namings):
        tables[naming] = {
            name: layer.elsewhere[row] + name.removeprefix(layer.name)
            for layer in layers
            if layer.elsewhere
            for name in _tensors(layer, own)
        }
    best: tuple[str, dict[str, str], dict[str, Tensor]] = ("", tables[""], {})
    most = -1
    for naming, names in tables.items():
        (first, *_) = find_state(tensors, {theirs: own[mine] for mine, theirs in names.items()})
        known = len(first.state.keys() & set(names.values()))
        if known > most:
            best, most = (naming, names, first.state), known
    return best


def _statistics(start: Start | None, naming: str) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """By which the images that weights know were normalised: as the recipe says, else as who published them."""
    if start is not None and start.mean is not None:
        return start.mean, start.std
    return (IMAGENET_MEAN, IMAGENET_STD) if naming else (None, None)


def _tensors(layer: Layer, own: Mapping[str, Tensor]) -> list[str]:
    return [name for name in own if name.rpartition(".")[0] == layer.name]


def _check_whole(
    names: Mapping[str, str],
    found: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    trunk: list[str],
    spare: tuple[str, ...],
) -> None:
    strange = [name for name in found if name not in names.values() and not name.startswith(spare)]
    for name in trunk:
        if names[name] not in found and not name.endswith(COUNTERS):
            instead = f" (it holds {strange[0]} instead)" if strange else ""
            shape = tuple(own[name].shape)
            raise UserError(f"lacks {names[name]}, which the student needs with shape {shape}{instead}")
    if strange:
        raise UserError(f"holds {strange[0]}, which the student does not have")


def sees_colours(weight: Tensor) -> bool:
    """Whether a convolution takes images of three channels."""
    return weight.shape[1] == _COLOURS


def join_colours(
    conv: str,
    norm: str,
    state: dict[str, Tensor],
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
) -> None:
    """Make a stem that sees colours answer to grey images as to those of three equal channels.

    Each colour was normalised by itself: the deviations go into the weights, and what the means shift into the running
    mean of the normalisation behind. That is exact but for the border, where padding is no grey.

    Args:
        conv: Name of the stem's convolution.
        norm: Of the batch normalisation behind it.
        state: Of the network; is changed.
        mean: By which the images of the weights were normalised, by colour; None where nothing is known.
        std: Likewise.
    """
    weight = state[f"{conv}.weight"]
    start = Start(weights=INPUT, mean=mean or (0.0,) * _COLOURS, std=std or (1.0,) * _COLOURS)
    grey_mean, grey_std = (torch.tensor(values, dtype=torch.float64) for values in start.statistics(1))
    means, deviations = (
        torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (start.mean, start.std)
    )
    scaled = weight.double() / deviations
    state[f"{conv}.weight"] = (scaled.sum(1, keepdim=True) * grey_std).to(weight.dtype)
    shift = (scaled * (grey_mean - means)).sum((1, 2, 3))
    running = state[f"{norm}.running_mean"]
    state[f"{norm}.running_mean"] = (running.double() - shift).to(running.dtype)


def _ending(
    layers: tuple[Layer, ...], state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> tuple[tuple[Layer, ...], str]:
    """The layers behind the trunk that the file has for as many outputs, all or none, and in words why none."""
    wanted = [name for layer in layers for name in _tensors(layer, own) if not name.endswith(COUNTERS)]
    if all(name in state and len(state[name]) == len(own[name]) for name in wanted):
        return layers, ""
    last = wanted[-1]
    has = f"one of {len(state[last])} outputs" if last in state else "none like it"
    return (), f"the head of {len(own[last])} outputs is learned anew: the file has {has}"


def _kept_channels(
    layers: tuple[Layer, ...], state: Mapping[str, Tensor], own: Mapping[str, Tensor], names: Mapping[str, str]
) -> dict[str, Tensor]:
    """The channels that a narrower student keeps of each chain: those of the largest L2 norm of what writes them."""
    strength: dict[str, Tensor] = {}
    width: dict[str, int] = {}
    for layer in layers:
        name = f"{layer.name}.weight"
        weight = state[name]
        width[layer.outputs] = len(own[name])
        if len(weight) < len(own[name]):
            raise UserError(
                f"{names[name]} has {len(weight)} channels, and the student needs {len(own[name])}:"
                " a student as wide as the file or narrower fits"
            )
        if weight.ndim > 1:
            norms = weight.double().flatten(1).square().sum(1)
            before = strength.get(layer.outputs, torch.zeros_like(norms))
            if before.shape == norms.shape:  # where they differ the shapes are refused below
                strength[layer.outputs] = before + norms
    return {
        chain: norms.sort(descending=True, stable=True).indices[: width[chain]].sort().values
        for chain, norms in strength.items()
        if len(norms) > width[chain]
    }


def _narrowed(tensor: Tensor, layer: Layer, channels: Mapping[str, Tensor], wanted: Tensor, name: str) -> Tensor:
    """A file's tensor in the student's shape and type."""
    taken = tensor
    if layer.outputs in channels and taken.ndim:
        taken = taken[channels[layer.outputs]] if len(taken) > len(wanted) else taken
    if layer.inputs is not None and layer.inputs in channels and taken.ndim > 1 and taken.shape[1] > wanted.shape[1]:
        taken = taken[:, channels[layer.inputs]]
    if taken.shape != wanted.shape:
        raise UserError(f"{name} has shape {tuple(tensor.shape)}, but the student needs {tuple(wanted.shape)}")
    return taken.to(wanted.dtype).contiguous()
