"""The state dict of a network among all that training code keeps in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_DEEPEST = 4
_FIRST = ("state_dict", "model")  # in this order, then the others as the file holds them, averaged weights last
_AVERAGED = ("ema", "swa", "avg", "average")
# Segments that wrappers of a module put into the names of what they wrap, wherever they wrap it.
_WRAPPERS = frozenset(
    ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_module")
)
COUNTERS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")
"""Endings of names of counters, which say nothing of what a network answers: they may be absent, or be for nobody."""

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Found:
    """A state dict within a file.

    Attributes:
        keys: The keys that lead to it.
        prefix: What stood before the names of its tensors.
        wrappers: Segments that were taken out of the names elsewhere.
        state: Its tensors, by the network's names as far as it has them.
        fits: Whether it has all tensors of the network, in the right shapes, and no others.
    """

    keys: tuple[str, ...]
    prefix: str
    wrappers: tuple[str, ...]
    state: dict[str, Tensor]
    fits: bool

    @property
    def where(self) -> str:
        """Where it is in the file, in words; empty where the file holds it as such."""
        parts = [f"under {'.'.join(self.keys)}"] if self.keys else []
        stripped = [*([self.prefix] if self.prefix else []), *(f"{each}." for each in self.wrappers)]
        if stripped:
            parts.append(f"without the prefix {' and '.join(stripped)}")
        return ", ".join(parts)


def find_state(content: Any, expected: State) -> list[Found]:
    """Where in a checkpoint the tensors of a network are, the most likely place first.

    Args:
        content: What the file holds: tensors by name at any depth of mappings, beside anything else.
        expected: The network's own state dict.

    Returns:
        All places that fit, in the order of preference: the file as such, ``state_dict``, ``model``, then other keys,
        averaged weights last. Where none fits, the one that comes nearest; empty where the file holds no tensors.
    """
    found = [each for keys, state in _states(content, ()) for each in _readings(keys, state, expected)]
    fitting = [each for each in found if each.fits]
    if fitting:
        return sorted(fitting, key=lambda each: _averaged(each.keys, each.prefix))
    known = Counter({row: len(each.state.keys() & expected.keys()) for row, each in enumerate(found)})
    return [found[row] for row, _ in known.most_common(1)]


def main_state(content: Any) -> dict[str, Tensor]:
    """The tensors by name that a checkpoint is about: of its state dicts the one of the most tensors.

    Of equally large ones it is the first in the order of :func:`find_state`. Empty where the file holds no tensors.

    Args:
        content: What the file holds.
    """
    states = sorted(_states(content, ()), key=lambda each: _averaged(each[0], ""))
    return max((state for _, state in states), key=len, default={})


def same(first: Found, second: Found) -> bool:
    """Whether two places hold equal weights."""
    return all(
        name in second.state and torch.equal(tensor, second.state[name])
        for name, tensor in first.state.items()
        if not name.endswith(COUNTERS)
    )


def _states(content: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every mapping that holds tensors by name, with the keys that lead to it."""
    if not isinstance(content, Mapping) or len(keys) > _DEEPEST:
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield keys, tensors
    inner = [key for key, value in content.items() if isinstance(key, str) and isinstance(value, Mapping)]
    for key in sorted(inner, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST)):
        yield from _states(content[key], (*keys, key))


def _readings(keys: tuple[str, ...], state: State, expected: State) -> Iterator[Found]:
    """A state dict behind each prefix that leads to names of the network, with and without names of wrappers."""
    bare, wrappers = _unwrapped(state)
    for names, taken in ((state, ()), *([(bare, wrappers)] if wrappers and len(bare) == len(state) else [])):
        for prefix in _prefixes(names, expected):
            own = {name.removeprefix(prefix): tensor for name, tensor in names.items() if name.startswith(prefix)}
            own = {name: tensor for name, tensor in own.items() if name in expected or not name.endswith(COUNTERS)}
            yield Found(keys, prefix, taken, own, _fits(own, expected))


def _unwrapped(state: State) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Names without the segments of wrappers, and which these are."""
    taken: dict[str, None] = {}
    bare = {}
    for name, tensor in state.items():
        segments = name.split(".")
        taken.update(dict.fromkeys(segment for segment in segments if segment in _WRAPPERS))
        bare[".".join(segment for segment in segments if segment not in _WRAPPERS)] = tensor
    return bare, tuple(taken)


def _prefixes(state: State, expected: State) -> list[str]:
    """What stands before names of the network, the most frequent first; nothing where there is no such name."""
    counts = Counter({"": 0})
    for name in state:
        segments = name.split(".")
        for start in range(len(segments)):
            if ".".join(segments[start:]) in expected:
                counts["".join(f"{segment}." for segment in segments[:start])] += 1
    return [prefix for prefix, _ in counts.most_common()]


def _fits(state: State, expected: State) -> bool:
    needed = {name for name in expected if not name.endswith(COUNTERS)}
    return needed <= state.keys() <= expected.keys() and all(
        tensor.shape == expected[name].shape for name, tensor in state.items()
    )


def _averaged(keys: tuple[str, ...], prefix: str) -> bool:
    words = ".".join((*keys, prefix)).lower().replace("_", ".").split(".")
    return not set(_AVERAGED).isdisjoint(words)
