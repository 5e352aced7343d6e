"""The maps inside a network that is one block, found by running it once on shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from automl_kd.students.plans import Shape


def inner_maps(network: nn.Module, parts: Mapping[str, nn.Module], images: Tensor) -> tuple[Any, dict[str, Shape]]:
    """What a network returns, and the shapes of the maps of several pixels that parts of it return, as they run.

    Args:
        network: Is run once.
        parts: Parts of it by name.
        images: (B, C, H, W).
    """
    found: dict[str, Any] = {}
    handles = [
        part.register_forward_hook(lambda module, inputs, output, name=name: found.setdefault(name, output))
        for name, part in parts.items()
    ]
    try:
        output = network(images)
    finally:
        for handle in handles:
            handle.remove()
    return output, {
        name: (each.shape[1], each.shape[2], each.shape[3])
        for name, each in found.items()
        if isinstance(each, Tensor) and each.ndim == 4 and each.shape[2:].numel() > 1
    }
