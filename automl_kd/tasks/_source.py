"""What every kind of data gives before it is split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from automl_kd.recipes import Part
from automl_kd.tasks._task import Split


@dataclass(frozen=True, eq=False)
class Source:
    """All images that may be split, the official test set where there is one, and the names of the classes."""

    images: Split
    test: Split | None
    class_names: tuple[str, ...]


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
