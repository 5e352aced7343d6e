"""What every kind of data gives before it is split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from automl_kd.core import IMAGE_AXES
from automl_kd.pictures import Progress, silent
from automl_kd.recipes import Part
from automl_kd.tasks.modalities import Fit
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.split import Split
from automl_kd.tasks.splits import Indices


@dataclass(frozen=True, eq=False)
class Source:
    """Data that were read and not yet split.

    Attributes:
        pool: All examples that may be split.
        problem: Of the labels, not yet fitted to those of the training split.
        modality: Makes that of the examples once they are split.
        found: What the data say of themselves.
        noun: What an example is called.
        given: Splits that the data bring themselves, ``"validation"`` and ``"test"`` where there are such.
        groups: The group of each example of the pool (N,), from 0, where examples of one group stay in one split.
        unlabelled: Examples without labels, whose labels are zeros; None where there are none.
    """

    pool: Split
    problem: Problem
    modality: Fit
    found: Found
    given: Mapping[str, Split] = field(default_factory=dict)
    noun: str = "image"
    groups: Indices | None = None
    unlabelled: Split | None = None


@dataclass(frozen=True)
class Hints:
    """What else is known where data are read.

    Attributes:
        size: Height and width of the images that the task's teacher takes, where the task file says which it is.
        progress: Told which share of the reading is done, where it takes long.
    """

    size: int | None = None
    progress: Progress = silent


class Data(Part, ABC):
    """The ``data`` part of a task file: one subclass a kind, whose name ``kind`` holds."""

    kind: str

    def at(self, place: Path) -> Self:
        """The same kind of data in another file or folder, for kinds with a field ``path``."""
        return self.model_copy(update={"path": str(place)})

    def place(self, folder: Path) -> Path | None:
        """The file or folder that holds all that is read; None for data that come with a package.

        Args:
            folder: Where relative paths start.
        """
        path = getattr(self, "path", None)
        return None if path is None else folder / Path(path).expanduser()

    @property
    def axes(self) -> tuple[str, ...] | None:
        """Of an example's input, where that is known before the data are read."""
        return None if self.pixels is None else IMAGE_AXES

    @property
    def pixels(self) -> int | None:
        """Height or width of its pictures, the larger of the two, where that is known before they are read."""
        return None

    def knowing(self, hints: Hints) -> Self:
        """The same data, which use what else is known when they are read."""
        return self

    @abstractmethod
    def read(self, folder: Path, problem: type[Problem]) -> Source:
        """Read the data.

        Args:
            folder: Where relative paths start.
            problem: The type that the labels are to be read as, one of those that the kind is registered for.

        Raises:
            UserError: If files are missing or not what they should be.
        """
