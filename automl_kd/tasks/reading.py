"""What was read of a task's data: a report for people and programs, in which nothing stays silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_SHOWN = 3


@dataclass(frozen=True)
class LeftOut:
    """Files or arrays that lay among the data and were not read.

    Attributes:
        reason: Why, such as ``"no image: .txt"``.
        count: How many.
        example: One of them, relative to the data's place.
    """

    reason: str
    count: int
    example: str


@dataclass(frozen=True)
class Found:
    """What a kind of data says of itself before it is split.

    Attributes:
        place: Folder, file or package.
        layout: How the examples lie there, in words.
        stored: Their type and size, in words.
        low: The smallest stored value.
        high: The largest.
        pixels: The rule by which stored values become values in [0, 1], which are then normalised.
        left_out: What was not read.
        warnings: What is odd, a line each.
        told: Lines for people on the examples, beside those that modality and problem type have.
        pictures: Whether the examples are picture files, so that a new one is such a file, too.
        deep: Of picture files of more than 8 bit a value the stored values that become 0 and 1, by their type.
        span: The stored values that become 0 and 1; None where there is no one rule for all.
        background: The colour that is seen behind transparent parts of pictures, red, green and blue.
    """

    place: str = "memory"
    layout: str = "arrays in memory"
    stored: str = "float32"
    low: float = 0.0
    high: float = 1.0
    pixels: str = "as they are"
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    pictures: bool = False
    deep: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    span: tuple[float, float] | None = (0.0, 1.0)
    background: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True)
class DataReading:
    """What was read of a task's data.

    Attributes:
        place: Folder, file or package.
        layout: How the examples lie there, in words: ``"one sub-folder a class"``.
        counts: Examples that have each of ``class_names``, in their order, by split.
        class_names: One name a class, label or value.
        shape: Of an example as networks see it: channels, height and width of an image, or positions of a text.
        stored: Type and size of what lies there, in words: ``"uint16 PNG, 640x480 to 1024x768"``.
        low: The smallest stored value.
        high: The largest.
        pixels: The rule by which stored values become values in [0, 1], which are then normalised.
        left_out: What was not read, by reason.
        warnings: A line each: what is odd, where, and the remedy.
        modality: What the examples are: ``image``, ``text``.
        problem: What the labels are: ``multiclass``, ``multilabel``, ``regression``.
        rows: Title and sentence of each line for people on place, counts and stored values; empty for images with one
            label each, whose lines are made of the fields above.
        told: More lines for people, on the examples.
    """

    place: str
    layout: str
    counts: Mapping[str, tuple[int, ...]]
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    stored: str
    low: float
    high: float
    pixels: str
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]
    modality: str = "image"
    problem: str = "multiclass"
    rows: tuple[tuple[str, str], ...] = ()
    told: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The same as plain data, ready for JSON."""
        return asdict(self)


def some(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
