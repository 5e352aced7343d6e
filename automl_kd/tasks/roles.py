"""What folders of splits are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

_ROLES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("train", "training", "trainset"), "train")
    | dict.fromkeys(("val", "valid", "validation", "validate", "valset", "dev", "devset"), "validation")
    | dict.fromkeys(("test", "testing", "testset"), "test")
    | dict.fromkeys(("eval", "evaluation"), "held out")
)
_FILLERS = frozenset({"set", "split", "data", "dataset", "image", "images", "img", "imgs"})


def looks_like_split(name: str) -> bool:
    """Whether a split is often called so, as ``train``, ``Val``, ``test_set`` or ``train2017``."""
    return _role(name) is not None


def roles(names: Collection[str]) -> dict[str, str]:
    """``train``, ``validation`` or ``test`` for every name that looks like a split.

    ``eval`` is the test split, or the validation split beside another folder that is the test split.
    """
    known = {name: role for name in names if (role := _role(name))}
    held_out = "validation" if "test" in known.values() else "test"
    return {name: held_out if role == "held out" else role for name, role in known.items()}


def _role(name: str) -> str | None:
    words = [word for word in re.findall(r"[a-z]+", name.lower()) if word not in _FILLERS]
    return _ROLES.get(words[0]) if len(words) == 1 else None
