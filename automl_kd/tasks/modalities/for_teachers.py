"""What a modality needs to know of a teacher that was trained on other examples than the task's, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from automl_kd.core import Input


class Transform(Protocol):
    """From prepared examples of the task (B, …) to those that a teacher takes, every step differentiable."""

    def __call__(self, batch: Tensor) -> Tensor:
        """The examples as the teacher takes them."""

    def identity(self) -> dict[str, Any]:
        """What decides them, as plain data: a part of the hash of a teacher that is shown them."""


@dataclass(frozen=True)
class Card:
    """What a teacher's own papers state; None for what they do not.

    Attributes:
        place: Where that is stated, for its user: ``its config.json``.
        names: The names of each output, several where it goes by more than one.
        names_place: Where these are stated.
        examples: What it takes, as facts of a modality: for images an :class:`ImageFacts`.
    """

    place: str = "its file"
    names: tuple[tuple[str, ...], ...] | None = None
    names_place: str = "its file"
    examples: object | None = None


@dataclass(frozen=True)
class Shown:
    """What a teacher is shown.

    Attributes:
        transform: From the task's prepared examples to these; None where they are the same.
        input: What the teacher takes.
        words: What that is, and who says so.
        warnings: Where the user and the teacher's own papers say different things.
    """

    transform: Transform | None
    input: Input
    words: str
    warnings: tuple[str, ...] = ()
