"""What every kind of data gives before it is split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from automl_kd.recipes import Part
from automl_kd.tasks.reading import Found
from automl_kd.tasks.split import Split


@dataclass(frozen=True, eq=False)
class Source:
    """Data that were read and not yet split.

    Attributes:
        pool: All images that may be split.
        class_names: One name a class.
        found: What the data say of themselves.
        given: Splits that the data bring themselves, ``"validation"`` and ``"test"`` where there are such.
        white: The value of an image that counts as 1.
    """

    pool: Split
    class_names: tuple[str, ...]
    found: Found
    given: Mapping[str, Split] = field(default_factory=dict)
    white: float = 255.0


class Data(Part, ABC):
    """The ``data`` part of a task file: one subclass a kind."""

    @abstractmethod
    def read(self, folder: Path) -> Source:
        """Read the data.

        Args:
            folder: Where relative paths start.

        Raises:
            UserError: If files are missing or not what they should be.
        """
