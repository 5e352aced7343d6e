"""A network of another library as the chain of its parts, found by running it once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.students.timm_nets.shapes import OnlyShapes

STEM, TAIL = "stem", "tail"


@dataclass(frozen=True)
class Chain:
    """The parts of a network that are executed one after another, each on what the one before returns.

    Attributes:
        stages: Paths of the parts by stage: ``stem``, then ``stage1``, ``stage2``, … of which each ends in a map that
            is worth tapping, then, where something with weights follows the last of them, ``tail``.
    """

    stages: tuple[tuple[str, tuple[str, ...]], ...]

    def split(self, network: nn.Module) -> nn.Sequential:
        """The parts of a network of this kind, a child for each stage; they are not copied."""
        stages = {
            name: nn.Sequential(OrderedDict((path.replace(".", "_"), network.get_submodule(path)) for path in paths))
            for name, paths in self.stages
        }
        return nn.Sequential(OrderedDict(stages))

    def renamed(self, name: str) -> str | None:
        """The name that a tensor of the network has in what :meth:`split` returns, None where it has none."""
        for stage, paths in self.stages:
            for path in paths:
                if name.startswith(f"{path}."):
                    return f"{stage}.{path.replace('.', '_')}{name.removeprefix(path)}"
        return None


def find_chain(network: nn.Module, points: Sequence[str], shape: tuple[int, ...]) -> Chain | None:
    """The chain that a network is up to its last map, or None if it is none.

    Args:
        network: On the meta device, in evaluation.
        points: Paths of the parts whose maps are worth tapping, from input to output.
        shape: Channels, height, width of an image that it takes.
    """
    calls = _Calls()
    with calls.of(network), torch.no_grad(), OnlyShapes():
        network(torch.empty(1, *shape, device="meta"))
    found = calls.chain("")
    parts = None if found is None else _opened(calls, found, points)
    if not points or parts is None or not set(points) <= {part.path for part in parts}:
        return None
    return Chain(tuple(_stages(network, parts, points)))


@dataclass
class _Call:
    """One execution of a part: what it took and returned, and how often these tensors had been written to by then."""

    path: str
    takes: Any
    takes_version: int
    gives: Any = None
    gives_version: int = 0
    inside: list[_Call] = field(default_factory=list)

    def follows(self, other: _Call) -> bool:
        """Whether this takes what the other returned, unchanged."""
        return self.takes is other.gives and self.takes_version == other.gives_version


class _Calls:
    """The executions of all parts of a network in one run."""

    def __init__(self) -> None:
        self._by_path: dict[str, list[_Call]] = {}
        self._open: list[_Call] = []

    @contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        handles: list[Any] = []
        for path, part in network.named_modules():
            handles.append(part.register_forward_pre_hook(self._before(path)))
            handles.append(part.register_forward_hook(self._after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def chain(self, path: str) -> list[_Call] | None:
        """The parts of a part, from its input on, as long as each takes what the one before returns."""
        (whole,) = self._by_path[path]
        linked: list[_Call] = []
        for call in whole.inside:
            once = len(self._by_path[call.path]) == 1
            first = call.takes is whole.takes and call.takes_version == whole.takes_version
            if not once or not (call.follows(linked[-1]) if linked else first):
                break
            linked.append(call)
        return linked or None

    def whole_chain(self, path: str) -> list[_Call] | None:
        """The parts of a part if they are all that it does."""
        (whole,) = self._by_path[path]
        linked = self.chain(path)
        if linked is None or len(linked) < len(whole.inside) or linked[-1].gives is not whole.gives:
            return None
        return linked if linked[-1].gives_version == whole.gives_version else None

    def _before(self, path: str) -> Any:
        def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            takes = inputs[0] if len(inputs) == 1 else inputs
            call = _Call(path, takes, _version(takes))
            if self._open:
                self._open[-1].inside.append(call)
            self._by_path.setdefault(path, []).append(call)
            self._open.append(call)

        return enter

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        call = self._open.pop()
        call.gives, call.gives_version = output, _version(output)


def _version(value: Any) -> int:
    return value._version if isinstance(value, Tensor) else 0


def _opened(calls: _Calls, parts: Sequence[_Call], points: Sequence[str]) -> list[_Call] | None:
    """The parts, those that have points inside or follow the last point replaced by their own; None if that fails."""
    opened: list[_Call] = []
    left = set(points)
    for part in parts:
        holds = any(point.startswith(f"{part.path}.") for point in left)
        inner = calls.whole_chain(part.path) if holds or not left else None
        if holds and inner is None:
            return None
        deeper = [part] if inner is None else _opened(calls, inner, tuple(left))
        if deeper is None:
            return None
        opened += deeper
        left -= {each.path for each in deeper}
    return opened


def _stages(network: nn.Module, parts: Sequence[_Call], points: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    paths = [part.path for part in parts]
    ends = [paths.index(point) + 1 for point in points]
    # A point that is one of several alike is a stage of its own; what stands alone, such as a norm, ends the stem.
    if points[0].rpartition(".")[2].isdigit() and ends[0] > 1:
        ends = [ends[0] - 1, *ends]
    yield STEM, tuple(paths[: ends[0]])
    for number, (start, end) in enumerate(pairwise(ends), 1):
        yield f"stage{number}", tuple(paths[start:end])
    tail = _tail(network, parts[ends[-1] :])
    if tail:
        yield TAIL, tail


def _tail(network: nn.Module, parts: Sequence[_Call]) -> tuple[str, ...]:
    """What follows the last point and still returns maps; pooling and the like at its end is what our head does."""
    kept: list[_Call] = []
    for part in parts:
        if not isinstance(part.gives, Tensor) or part.gives.dim() != 4:
            break
        kept.append(part)
    while kept and _idle(network.get_submodule(kept[-1].path), kept[-1]):
        kept.pop()
    return tuple(part.path for part in kept)


def _idle(module: nn.Module, call: _Call) -> bool:
    """Whether a part has no weights and passes its map on or makes it smaller."""
    same: bool = call.gives is call.takes or call.gives.shape != call.takes.shape
    return same and not list(module.parameters())
