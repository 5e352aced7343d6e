"""What a modality is: how examples are stored, what of them a network takes, and how they are varied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from automl_kd.core import Input, UserError
from automl_kd.tasks.modalities.for_teachers import Card, Shown, Transform
from automl_kd.tasks.reading import Found
from automl_kd.tasks.split import Split
from automl_kd.tasks.teacher import TeacherInput

_READING = """\
ENDINGS = (".npy",)


def examples(argument, column):
    \"\"\"Name and example: the array of a .npy file, else the argument itself.\"\"\"
    yield argument, np.load(argument, allow_pickle=False) if argument.endswith(".npy") else argument
"""


@dataclass(frozen=True)
class Resolution:
    """What a student says of the examples that it takes, where that is not what the task says.

    Attributes:
        size: Height and width of images; None for the task's.
        mean: By channel, of values in [0, 1], by which they are normalised; None for the task's.
        std: By channel, likewise.
    """

    size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def option(self) -> str:
        """The field of a student that a message is about."""
        return "resolution" if self.size is not None else "start"


class Views(Protocol):
    """Numbered views of a training split: each a function of seed, number and example alone, so that it can be kept.

    Views of equal seed, number and augmentations that two resolutions of a modality make show the same part of each
    example, varied in the same way: what a student sees small, its teacher sees large.
    """

    def identity(self, number: int) -> dict[str, Any]:
        """What decides the examples of a view, as plain data: equal for equal views, whatever the recipe's words."""

    def of(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        """The view of some examples as networks take them, as :meth:`Modality.prepare` gives what is not varied.

        Args:
            stored: As the task stores them, (B, …); they are not changed.
            index: Their positions in the split (B,), on any device.
            number: Which view.
        """


@dataclass(frozen=True, eq=False)
class Unvaried:
    """Views that show every example as it is.

    Attributes:
        prepare: From stored examples to those that networks take.
    """

    prepare: Callable[[Tensor], Tensor]

    def identity(self, number: int) -> dict[str, Any]:
        return {"names": ()}

    def of(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        return self.prepare(stored)


class Mix(Protocol):
    """How the examples of one batch are mixed in pairs, and their labels with them."""

    def mixed(self, batch: Tensor) -> Tensor:
        """The mixed examples, (B, …) to the same shape, never in place; also of a batch of another resolution."""

    def blend(self, values: Tensor) -> Tensor:
        """``share * values + (1 - share) * values of the partners``, for any rows (B, …) of floats."""

    def to(self, device: torch.device) -> Mix:
        """The same mix for batches on a device."""


class Modality(ABC):
    """The modality of one task: a kind of example, with what was learned of the training split, such as a mean.

    Attributes:
        name: ``image``, ``text``.
        noun: What one example is called, ``image``; its plural takes an s.
        augmentations: What ``train.augment`` may name, and of each whether it mixes two examples to one.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    augmentations: ClassVar[Mapping[str, bool]] = MappingProxyType({})
    teacher_remedy: ClassVar[str] = "see that it was trained on the same inputs and labels"
    """What a user does about a brought teacher that is no better than one answer to all."""

    @property
    @abstractmethod
    def input(self) -> Input:
        """What a network takes."""

    @abstractmethod
    def prepare(self, stored: Tensor) -> Tensor:
        """Stored examples (B, …) as a network takes them, on the same device."""

    def arranged(self, batch: Tensor) -> Tensor:
        """A batch, or a module's input, in the memory format in which networks of this modality are fastest."""
        return batch

    def module_format(self) -> torch.memory_format:
        """The memory format of the weights of such networks."""
        return torch.contiguous_format

    def views(self, examples: int, names: Collection[str], seed: int) -> Views:
        """Views of a training split by the augmentations of a recipe, in any order; those that mix change nothing."""
        return Unvaried(self.prepare)

    def at(self, resolution: Resolution) -> Modality:
        """The same examples as a network of another resolution, or of another normalisation, takes them.

        Raises:
            UserError: If the modality has none, or the network cannot be shown its examples so.
        """
        raise UserError(f"student.{resolution.option}: {self.noun}s have no {resolution.option}; leave it out")

    def check_augment(self, names: Collection[str]) -> None:
        """See to it that there are all of a recipe's augmentations.

        Raises:
            UserError: If one is missing.
        """
        for name in names:
            if name not in self.augmentations:
                has = f"it has {', '.join(self.augmentations)}" if self.augmentations else "it has none"
                raise UserError(f"train.augment: {self.name} has no {name}; {has}")

    def draw_mix(self, names: Collection[str], shape: torch.Size, generator: Generator) -> Mix | None:
        """The mix of one batch, None where the augmentations of a recipe mix nothing.

        Args:
            names: Augmentations of a recipe, in any order.
            shape: Of the batch.
            generator: Decides everything; on its own device.
        """
        return None

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What it has learned of the training split, as plain data: a part of the task's hash."""

    @property
    def prepared_in_words(self) -> str:
        """What a network of the task is shown, in words for people."""
        return f"the task's {self.noun}s as its networks take them"

    def shown_to_teacher(self, stated: TeacherInput | None, card: Card) -> Shown:
        """What a teacher is shown of the task's examples.

        Args:
            stated: What the user says, which has the last word, part by part.
            card: What the teacher says of itself.

        Raises:
            UserError: If the task's examples cannot be turned into those that the teacher takes.
        """
        if stated is not None:
            raise UserError(f"teacher.input: {self.name} takes no input: {{…}}; leave it out")
        return Shown(None, self.input, self.prepared_in_words)

    def alternatives(self, transform: Transform | None, shown: Input) -> Sequence[tuple[str, Transform]]:
        """Other ways to show a teacher the task's examples that may be the right ones.

        Args:
            transform: How they are turned into what it is shown now; None where it is shown them as they are.
            shown: What the teacher takes.

        Returns:
            What a user writes to ask for a way, and the way; none where there is no other.
        """
        return ()

    # What is said of the examples: to who uses a student, and when data are read.

    @abstractmethod
    def preprocessing(self) -> dict[str, object]:
        """How a raw example becomes a network's input, as plain data."""

    @abstractmethod
    def code(self, name: str, folder: str | None = None) -> str:
        """The same as Python with the standard library, NumPy and Pillow: a function ``prepare(example)``.

        It returns the inputs of an ONNX runtime, ``{name: array}``, for a batch of one, and raises ``OSError`` or
        ``ValueError`` of an example that it cannot read.

        Args:
            name: Of the network's input.
            folder: A ``Path``, as Python, of the folder in which the files of :meth:`files` lie; None for the current.
        """

    def reading(self) -> str:
        """Which examples the arguments of a program name, as Python of the same: ``ENDINGS`` and ``examples``.

        ``examples(argument, column)`` yields of each a name for people, and what ``prepare`` takes. Of a folder it is
        called for the files whose endings are among ``ENDINGS``. ``os``, ``Path``, ``sys``, NumPy as ``np`` and a
        function ``listed(path, column, usual)``, for the cells of a table's column or the lines of a file, are there.
        """
        return _READING

    def stand_in(self) -> str:
        """A raw example as Python, in whose place a user of :meth:`code` puts an own one."""
        return repr(f"your {self.noun}")

    def files(self) -> dict[str, str]:
        """What has to be delivered beside a network to prepare its input: texts by file name."""
        return {}

    @abstractmethod
    def told(self, splits: Mapping[str, Split], found: Found) -> tuple[str, ...]:
        """Lines for people on the examples: their shape, and what their stored values become."""

    def odd(
        self, splits: Mapping[str, Split], groups: Mapping[str, NDArray[np.bool_]], found: Found
    ) -> tuple[str, ...]:
        """What is odd about the examples, a warning a line.

        Args:
            splits: By name.
            groups: Training examples that belong together, by what a message calls them.
            found: What the kind of data says of itself.
        """
        return ()

    def refusal(self, train: Split, found: Found) -> str | None:
        """Why nothing can be learned from training examples, None where something can."""
        return None


Fit = Callable[[Mapping[str, Split]], tuple[Modality, dict[str, Split]]]
"""From split examples as they were read to their modality, and to the examples as the task stores them."""
