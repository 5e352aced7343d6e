"""What folders of splits are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

_ROLES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("train", "training", "trainset", "train_set", "train-set"), "train")
    | dict.fromkeys(("val", "valid", "validation", "validate", "valset", "val_set", "dev", "devset"), "validation")
    | dict.fromkeys(("test", "testing", "testset", "test_set", "test-set"), "test")
)
_HELD_OUT = frozenset({"eval", "evaluation"})


def looks_like_split(name: str) -> bool:
    """Whether a split is often called so; capitals do not count."""
    return name.lower() in _ROLES or name.lower() in _HELD_OUT


def roles(names: Collection[str]) -> dict[str, str]:
    """``train``, ``validation`` or ``test`` for every name that looks like a split.

    ``eval`` is the test split, or the validation split beside another folder that is the test split.
    """
    known = {name: _ROLES[name.lower()] for name in names if name.lower() in _ROLES}
    held_out = "validation" if "test" in known.values() else "test"
    return known | {name: held_out for name in names if name.lower() in _HELD_OUT}
