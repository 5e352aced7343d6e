"""A grid of characters with axes."""

from __future__ import annotations

from collections.abc import Sequence

_ASCII = str.maketrans("●·─│┤└┬", "*.-||+-")
_KEPT = "\N{NO-BREAK SPACE}"
"""A space that nothing is written over."""


class Canvas:
    """Characters in rows from the top and columns from the left; what is drawn first stays on top.

    Args:
        width: Columns.
        height: Rows.
        plain: Whether to write no characters but those of ASCII.
    """

    def __init__(self, width: int, height: int, *, plain: bool = False) -> None:
        self.width, self.height = width, height
        self._plain = plain
        self._rows = [[" "] * width for _ in range(height)]

    def put(self, column: int, row: int, text: str) -> None:
        """Write a text where nothing is yet, its spaces too; what lies outside is left out."""
        for place, character in enumerate(text.replace(" ", _KEPT), column):
            if 0 <= place < self.width and 0 <= row < self.height and self._rows[row][place] == " ":
                self._rows[row][place] = character

    def free(self, column: int, row: int, length: int) -> bool:
        """Whether so many characters can be written there."""
        return column >= 0 and column + length <= self.width and set(self._rows[row][column:][:length]) <= {" "}

    def framed(self, labels: Sequence[str], ticks: Sequence[tuple[int, str]]) -> list[str]:
        """Its lines with both axes: a label for every row, empty for none, and ticks by column."""
        margin = max(map(len, labels))
        lines = [
            f"{label.rjust(margin)} {'┤' if label else '│'}{''.join(row)}"
            for label, row in zip(labels, self._rows, strict=True)
        ]
        axis, below = ["─"] * self.width, Canvas(self.width, 1)
        for column, text in ticks:
            start = min(max(0, column - len(text) // 2), self.width - len(text))
            if below.free(start, 0, len(text)):
                axis[column] = "┬"
                below.put(start - 1, 0, f" {text} ")
        lines += [f"{' ' * margin} └{''.join(axis)}", f"{' ' * margin}  {''.join(below._rows[0])}"]
        found = [line.replace(_KEPT, " ").rstrip() for line in lines]
        return [line.translate(_ASCII) for line in found] if self._plain else found
