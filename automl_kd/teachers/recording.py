"""What the submodules of a module return, recorded by hooks that are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.students import Shape
from automl_kd.teachers.tokens import as_map, first_tensor

Size = tuple[int, int]


@dataclass(frozen=True)
class Call:
    """One run of one submodule.

    Attributes:
        path: Its path.
        before: Height and width of its first input, None where that is no map.
        after: Height and width of its output, None where that is no map (B, C, H, W) by itself.
        tokens: Whether it returned tokens (B, N, D).
        shape: Channels, height, width of its output as a map, None where it is not one.
    """

    path: str
    before: Size | None
    after: Size | None
    tokens: bool
    shape: Shape | None


def trace(module: nn.Module, inputs: Tensor) -> tuple[Any, list[Call]]:
    """Run a module on a batch without gradients.

    Args:
        module: Any module, in evaluation mode.
        inputs: A batch that it accepts.

    Returns:
        Its output, and the calls of its submodules in the order in which they ended. A submodule that goes by several
        paths is there under each.
    """
    calls: list[Call] = []

    def record(path: str, taken: tuple[Any, ...], output: Any) -> None:
        value, features = first_tensor(output), as_map(output)
        batch = value is not None and value.ndim > 0 and value.shape[0] == len(inputs)
        shape = (*features.shape[1:],) if features is not None and batch else None
        tokens = value is not None and value.ndim == 3 and shape is not None
        calls.append(Call(path, _size(taken[0]) if taken else None, _size(value), tokens, shape))

    paths = [path for path, _ in module.named_modules(remove_duplicate=False) if path]
    with torch.no_grad(), _hooked(module, paths, record):
        return module(inputs), calls


@contextmanager
def recorded_maps(module: nn.Module, paths: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Maps of submodules by path, filled while the module runs; where one runs several times, the last counts.

    Args:
        module: Any module.
        paths: Paths of submodules that return maps.
    """
    maps: dict[str, Tensor] = {}

    def record(path: str, _: tuple[Any, ...], output: Any) -> None:
        features = as_map(output)
        if features is not None:
            # A copy: what follows may write into it (an activation in place, a residual added with +=).
            maps[path] = features.clone()

    with _hooked(module, paths, record):
        yield maps


@contextmanager
def _hooked(
    module: nn.Module, paths: Iterable[str], record: Callable[[str, tuple[Any, ...], Any], None]
) -> Iterator[None]:
    def hook(path: str) -> Any:
        return lambda _, inputs, output: record(path, inputs, output)

    with ExitStack() as stack:
        for path in paths:
            stack.callback(module.get_submodule(path).register_forward_hook(hook(path)).remove)
        yield


def _size(value: Any) -> Size | None:
    return (value.shape[2], value.shape[3]) if isinstance(value, Tensor) and value.ndim == 4 else None
