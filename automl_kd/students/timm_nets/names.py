"""What the tensors of timm's networks are called in files of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from automl_kd.core import UserError
from automl_kd.students.weights.state_dict import find_state

_EFFICIENTNET_PYTORCH = "EfficientNet-PyTorch"
# The layers of a block with an expansion, and of one without, as timm calls them and as others do.
_EFFICIENTNET_BLOCK = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "se.conv_reduce": "_se_reduce",
    "se.conv_expand": "_se_expand",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}
_EFFICIENTNET_FIRST = {**_EFFICIENTNET_BLOCK, "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_EFFICIENTNET_REST = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}
_MOBILENET_BLOCK = {
    "conv_pw": "conv.0.0",
    "bn1": "conv.0.1",
    "conv_dw": "conv.1.0",
    "bn2": "conv.1.1",
    "conv_pwl": "conv.2",
    "bn3": "conv.3",
}
_MOBILENET_FIRST = {"conv_dw": "conv.0.0", "bn1": "conv.0.1", "conv_pw": "conv.1", "bn2": "conv.2"}


@dataclass(frozen=True)
class Named:
    """The tensors of a file by timm's names.

    Attributes:
        tensors: Those that timm's network has, and others by the names that they have in the file.
        file_names: What the file calls a tensor, by timm's name.
        naming: Whose names the file has.
    """

    tensors: Mapping[str, Tensor]
    file_names: Mapping[str, str]
    naming: str

    def in_file(self, name: str) -> str:
        """What the file calls, or would call, a tensor."""
        return self.file_names.get(name, name)


def aliases(model: str) -> tuple[str, ...]:
    """Names that files of others with weights of a network bear: ``efficientnet-lite0``."""
    found = re.fullmatch(r"tf_efficientnet_(lite\d|b\d)(\..*)?", model)
    if found is not None:
        return (f"efficientnet-{found[1]}",)
    return ("mobilenet_v2",) if re.fullmatch(r"mobilenetv2_100(\..*)?", model) else ()


def named_as_timm(model: str, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Named:
    """A file's tensors by timm's names, whichever of the known namings it follows.

    Args:
        model: The network's name at timm.
        expected: Its own tensors.
        tensors: Of the file, by name.

    Raises:
        UserError: If the file is of a network that computes otherwise than that of timm.
    """
    best, most = Named({}, {}, "timm"), -1
    for naming, rename in _namings(model, expected):
        names = {mine: rename(mine) for mine in expected}
        (first, *_) = find_state(tensors, {theirs: expected[mine] for mine, theirs in names.items()})
        back = {theirs: mine for mine, theirs in names.items()}
        known = len(first.state.keys() & back.keys())
        if known > most:
            best = Named({back.get(name, name): tensor for name, tensor in first.state.items()}, names, naming)
            most = known
    if best.naming == _EFFICIENTNET_PYTORCH and not model.startswith("tf_"):
        raise UserError(f"has the names of {best.naming}, whose networks pad as TensorFlow does: use model: tf_{model}")
    return best


def _namings(model: str, expected: Iterable[str]) -> list[tuple[str, Callable[[str], str]]]:
    """Who names tensors how, of a network: timm first."""
    found: list[tuple[str, Callable[[str], str]]] = [("timm", lambda name: name)]
    blocks = _blocks(expected)
    if re.fullmatch(r"(tf_)?efficientnet_(lite|b)\d(\..*)?", model):
        rename = _renaming(blocks, "_blocks.{}.", _EFFICIENTNET_FIRST, _EFFICIENTNET_BLOCK, _EFFICIENTNET_REST)
        found.append((_EFFICIENTNET_PYTORCH, rename))
    if re.fullmatch(r"mobilenetv2_\d+(\..*)?", model):
        last = len(blocks) + 1
        rest = {"conv_stem": "features.0.0", "bn1": "features.0.1", "classifier": "classifier.1"}
        rest |= {"conv_head": f"features.{last}.0", "bn2": f"features.{last}.1"}
        numbered = {name: number + 1 for name, number in blocks.items()}
        found.append(("torchvision", _renaming(numbered, "features.{}.", _MOBILENET_FIRST, _MOBILENET_BLOCK, rest)))
    return found


def _blocks(names: Iterable[str]) -> dict[str, int]:
    """The blocks of a network of timm, ``blocks.STAGE.BLOCK``, numbered in the order of execution."""
    places = {tuple(map(int, found.groups())) for name in names if (found := re.match(r"blocks\.(\d+)\.(\d+)\.", name))}
    return {f"blocks.{stage}.{block}": number for number, (stage, block) in enumerate(sorted(places))}


def _renaming(
    numbers: Mapping[str, int],
    prefix: str,
    first: Mapping[str, str],
    others: Mapping[str, str],
    rest: Mapping[str, str],
) -> Callable[[str], str]:
    """A function from timm's names to others'.

    Args:
        numbers: The number of each block.
        prefix: What stands before the layers of a block, with a place for its number.
        first: Names of the layers of the first block, which has no expansion.
        others: Of all other blocks.
        rest: Of the layers outside of blocks.
    """

    def rename(name: str) -> str:
        found = re.match(r"(blocks\.\d+\.\d+)\.", name)
        if found is None:
            return _replaced(name, rest)
        number = numbers[found[1]]
        layers = first if number == min(numbers.values()) else others
        return prefix.format(number) + _replaced(name.removeprefix(found[0]), layers)

    return rename


def _replaced(name: str, layers: Mapping[str, str]) -> str:
    layer, _, tensor = name.rpartition(".")
    return f"{layers.get(layer, layer)}.{tensor}"
