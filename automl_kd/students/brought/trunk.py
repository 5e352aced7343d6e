"""A network up to its classifier, and how the tensors of a file become its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from automl_kd.core import UserError
from automl_kd.students.family import Inherited


@dataclass(frozen=True, eq=False)
class Named:
    """Tensors of a file, as a trunk reads them.

    Attributes:
        tensors: By the names of the trunk as far as it has them.
        classifier: Prefixes of the names among them that belong to the classifier, which is left behind.
        unused: Names of the file's tensors that the library itself has no use for.
    """

    tensors: Mapping[str, Tensor]
    classifier: tuple[str, ...]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """A library that builds networks from plain data.

    Attributes:
        trunk: ``(network, channels)`` to the network without its classifier, freshly initialised: images
            (B, C, H, W) to vectors (B, D). Raises UserError if the library is not installed or cannot build it.
        named: ``(network, tensors)`` of a file to the tensors as the trunk reads them.
        title: ``(network)`` to what it is called.
    """

    trunk: Callable[[Mapping[str, Any], int], nn.Module]
    named: Callable[[Mapping[str, Any], Mapping[str, Tensor]], Named]
    title: Callable[[Mapping[str, Any]], str]


def inherited(trunk: nn.Module, named: Named, title: str) -> Inherited:
    """What a trunk takes of a file: all that it needs, in its shapes.

    Args:
        trunk: The network, whose values are not read.
        named: The tensors of the file.
        title: What the network is called, for the error.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    own, tensors = trunk.state_dict(), named.tensors
    for name, wanted in own.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in tensors:
            raise UserError(f"lacks {name}, which {title} needs with shape {tuple(wanted.shape)}")
        if tensors[name].shape != wanted.shape:
            found = tuple(tensors[name].shape)
            raise UserError(f"{name} has shape {found}, but {title} needs {tuple(wanted.shape)}")
    others = tuple(name for name in tensors if name not in own)
    strange = [name for name in others if not name.startswith(named.classifier)]
    if strange:
        raise UserError(f"holds {strange[0]}, which {title} does not have")
    state = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if name in own
    }
    words = f"all of {title} but its classifier" if others else f"all of {title}"
    return Inherited(state, (*others, *named.unused), words)
