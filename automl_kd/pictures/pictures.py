"""Picture files that are to be decoded alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[float, str], None]
"""Told which share is done, and what is being done."""


def silent(share: float, doing: str) -> None:
    """Progress that nobody is told of."""


@dataclass(frozen=True)
class Pictures:
    """The files to decode.

    Attributes:
        root: The folder that they lie in.
        names: Their paths, relative to it.
        labels: The class of each.
        classes: The names of the classes.
        size: Height and width that networks take; None where the pictures decide.
        channels: 3, or 1 for grey.
        background: What is seen behind transparent parts.
        skip_damaged: Whether files that cannot be read are left out; otherwise they are refused.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    size: int | None = None
    channels: int = 3
    background: str | tuple[int, int, int] = "white"
    skip_damaged: bool = False

    def file(self, name: str) -> str:
        """The path of one of them."""
        return os.path.join(self.root, name)
