"""What the headers and pixels of a folder's pictures say about all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl_kd.core import UserError, counted
from automl_kd.pictures.pixels import PixelRule

_MOSTLY = 0.1
_LONG = 2.0
_LEAST = 16  # the upper 8 of 16 bit, where values need no more than 12


@dataclass
class Survey:
    """Counts over all pictures of a folder.

    Args:
        size: Height and width that they are scaled to.
    """

    size: int
    pictures: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    smallest: tuple[int, int] | None = None
    largest: tuple[int, int] = (0, 0)
    enlarged: int = 0
    long: int = 0
    transparent: int = 0
    cut: tuple[int, float] = (0, 0.0)
    several: tuple[int, str] = (0, "")
    by_class: dict[int, set[str]] = field(default_factory=dict)

    def add(self, stored: str, width: int, height: int, label: int) -> None:
        """Count a picture by its header."""
        self.pictures += 1
        self.stored[stored] += 1
        self.by_class.setdefault(label, set()).add(stored)
        shape = (width, height)
        self.smallest = shape if self.smallest is None else min(self.smallest, shape, key=np.prod)
        self.largest = max(self.largest, shape, key=np.prod)
        self.enlarged += min(shape) < self.size
        self.long += max(shape) > _LONG * min(shape)

    def add_several(self, name: str) -> None:
        """Count a file that holds more than one picture."""
        self.several = (self.several[0] + 1, self.several[1] or name)

    def add_cut(self, high: float | None) -> None:
        """Count a picture of which the upper 8 of 16 bit were read, by their largest value; None for any other."""
        if high is not None:
            self.cut = (self.cut[0] + 1, max(self.cut[1], high))

    def refuse_dark(self, root: Path) -> None:
        """Refuse 16 bit in colour where the upper 8 bits hold next to nothing.

        Raises:
            UserError: If no value needs more than 12 bit.
        """
        count, high = self.cut
        if count and high < _LEAST:
            raise UserError(
                f"{root}: {counted(count, 'image')} of 16 bit in colour or with transparency, of which the upper 8 bits"
                f" are read, and these are at most {high:g}: multiply all values by {256 // (int(high) + 1)}, or store"
                " 8 bit"
            )

    def words(self) -> str:
        """Types and sizes for people: ``"uint16 PNG, 640x480 to 1024x768"``."""
        types = " and ".join(
            kind if len(self.stored) == 1 else f"{count} {kind}" for kind, count in self.stored.most_common()
        )
        small, large = (f"{width}x{height}" for width, height in (self.smallest or (0, 0), self.largest))
        return f"{types}, {small}" + (f" to {large}" if large != small else "")

    def warnings(self, class_names: tuple[str, ...]) -> tuple[str, ...]:
        """What is odd about the pictures, a line each."""
        all_warnings = (self._enlarged(), self._long(), self._several(), self._cut(), *self._told_by_type(class_names))
        return tuple(filter(None, all_warnings))

    def _enlarged(self) -> str | None:
        if self.enlarged <= _MOSTLY * self.pictures:
            return None
        return (
            f"{self.enlarged} of {self.pictures} images are smaller than {self.size}x{self.size} and were enlarged;"
            " data.size in a task file sets the size"
        )

    def _long(self) -> str | None:
        if self.long <= _MOSTLY * self.pictures:
            return None
        return (
            f"{self.long} of {self.pictures} images are more than twice as long as wide or high: the square in their"
            " middle was kept, less than half of each; crop or pad them beforehand where the rest matters"
        )

    def _several(self) -> str | None:
        count, example = self.several
        said = f"{counted(count, 'file')} of several pictures, such as {example}: the first of each was read"
        return f"{said}; store the others as files of their own" if count else None

    def _cut(self) -> str | None:
        if not self.cut[0]:
            return None
        return (
            f"{counted(self.cut[0], 'image')} of 16 bit, in colour or with transparency, read by the upper 8 bits"
            " of each value; where values are small, stretch them first"
        )

    def _told_by_type(self, class_names: tuple[str, ...]) -> list[str]:
        """A type of file that one class has alone, and has always, gives its answer away."""
        found = []
        for label, kinds in self.by_class.items():
            others = set().union(*(theirs for other, theirs in self.by_class.items() if other != label))
            if others and not kinds & others:
                alone, rest = (" or ".join(sorted(each)) for each in (kinds, others))
                found.append(
                    f"all images of class {class_names[label]!r} are {alone} and those of the others {rest}: networks"
                    " may learn the type of file; store all alike"
                )
        return found[:1]


def summary(
    survey: Survey, rules: Mapping[str, PixelRule], class_names: tuple[str, ...], background: str
) -> dict[str, Any]:
    """The words about a folder's pictures, as plain data to be kept beside them.

    Args:
        survey: Of all pictures.
        rules: By the type of stored values, such as ``"uint16"``.
        class_names: For the warnings.
        background: The colour behind what is transparent, in words.
    """
    several = len(rules) > 1
    pixels = "; ".join(f"{kind}: {rule.words}" if several else rule.words for kind, rule in rules.items())
    seen = f"; {background} where transparent ({counted(survey.transparent, 'image')})" if survey.transparent else ""
    odd = (f"{kind} images: {rule.odd}" for kind, rule in rules.items() if rule.odd)
    mixed = ("images of several types were each converted by the rule of their type",) if several else ()
    return {
        "stored": survey.words(),
        "pixels": pixels + seen,
        "warnings": [*survey.warnings(class_names), *odd, *mixed],
    }
