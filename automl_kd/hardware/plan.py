"""What this room asks of a plan: nothing but blocks with shapes, and how weights are stored."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

from torch import nn

from automl_kd.core import Input

FLOAT32 = 4
"""Bytes of a weight as it is trained."""


class Block(Hashable, Protocol):
    """One link of a plan. Equal blocks build modules with equal kernels, so each is traced once."""

    @property
    def input(self) -> Input:
        """What it takes: a map ``(C, H, W)``, ids ``(T,)`` of a sequence."""

    def build(self) -> nn.Module:
        """The module, with any weights."""


class Plan(Protocol):
    """A network as a chain of blocks."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """In order; each takes what the one before returns."""

    @property
    def weight_bytes(self) -> int:
        """Bytes that one weight takes in the file that ships; the device may compute with others."""

    @property
    def integers(self) -> Sequence[bool]:
        """For each block whether integers of 8 bits compute it; empty where nothing is said of it."""

    @property
    def per_channel(self) -> bool | None:
        """Whether each output channel of a quantised weight has a scale of its own; None where nothing is quantised."""
