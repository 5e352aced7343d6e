"""Where the features of a module that names no stages can be tapped."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Size = tuple[int, int]


def find_stages(module: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Paths of the last submodule at each resolution, in the order in which they run.

    Left out are 1x1 maps (gates, pooled features), and all that lies inside a block which itself changes the
    resolution: there the last map of the old resolution is the expansion of the next block, not a result.

    Args:
        module: Any module, in evaluation mode.
        images: A batch that it accepts.
    """
    runs = _trace(module, images)
    hidden = tuple(f"{path}." for path in _changing_blocks(module, runs))
    last: dict[Size, str] = {}
    for path, _, after in runs:
        if after is not None and after != (1, 1) and not path.startswith(hidden):
            last.pop(after, None)  # so that the dictionary's order is that of the last run
            last[after] = path
    return tuple(last.values())


def _changing_blocks(module: nn.Module, runs: list[tuple[str, Size | None, Size | None]]) -> list[str]:
    """Blocks that make one new resolution; what makes several (a whole backbone) or only chains is a container."""
    blocks = []
    for path, before, after in runs:
        if before == after or None in (before, after) or isinstance(module.get_submodule(path), nn.Sequential):
            continue
        made = {size for inner, _, size in runs if inner.startswith(f"{path}.") and size not in (None, (1, 1), before)}
        if len(made | {after}) == 1:
            blocks.append(path)
    return blocks


def _trace(module: nn.Module, images: Tensor) -> list[tuple[str, Size | None, Size | None]]:
    """Path, size of the first input and size of the output of every submodule that ran."""
    runs: list[tuple[str, Size | None, Size | None]] = []

    def recorder(path: str) -> Any:
        def record(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            runs.append((path, _size(inputs[0]) if inputs else None, _size(output)))

        return record

    handles = [inner.register_forward_hook(recorder(path)) for path, inner in module.named_modules() if path]
    try:
        with torch.no_grad():
            module(images)
    finally:
        for handle in handles:
            handle.remove()
    return runs


def _size(value: Any) -> Size | None:
    return (value.shape[2], value.shape[3]) if isinstance(value, Tensor) and value.ndim == 4 else None
