"""Labels as they were stored, before a problem type has read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from automl_kd.core import UserError


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of one split as they were stored.

    Attributes:
        values: (N,), or (N, L) where several arrays of numbers or columns of a table hold them; text where ``cells``.
        place: The file that they come from.
        title: What an error calls all of them: ``y``, ``column age``.
        at: What an error calls the label of an index, or of an index and a column: ``y[3]``, ``line 4``.
        names: Gives one name a column, none where they have no names; asked by problem types that use them.
        cells: Whether the values are cells of a text file, which may spell numbers.
        separator: Between several labels in one cell.
        noun: What an example is called.
    """

    values: NDArray[Any]
    place: str
    title: str
    at: Callable[[int], str]
    names: Callable[[], tuple[str, ...]] = tuple
    cells: bool = False
    separator: str = "|"
    noun: str = "image"

    def wrong(self, index: int, said: str) -> UserError:
        """The error that a label is not what it should be.

        Args:
            index: Of the example.
            said: What is wrong, and what would be right.
        """
        return UserError(f"{self.place}: {self.at(index)}: {said}")

    def unfit(self, should: str) -> UserError:
        """The error that all labels are of the wrong shape or type.

        Args:
            should: What would be right.
        """
        return UserError(f"{self.place}: {self.title} is {self.values.dtype} {self.values.shape}; {should}")


def spelled_whole(cell: str) -> bool:
    """Whether a cell spells a whole number as a program would, so that its order is that of numbers."""
    return cell.removeprefix("-").isdecimal() and cell == str(int(cell))


def in_order(names: set[str]) -> tuple[str, ...]:
    """Names in the order of the alphabet, or by size where all are whole numbers."""
    return tuple(sorted(names, key=int if all(map(spelled_whole, names)) else str))
