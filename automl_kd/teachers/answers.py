"""From what a teacher returns to one logit for each class of the task."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from automl_kd.recipes import digest
from automl_kd.tasks import OutputKind
from automl_kd.teachers.teacher import Teacher

# A probability of nought has no logarithm; below this one it is that of a rounding error.
_FLOOR = 1e-7
_SUMS = (1.0, 100.0)  # of shares, of percentages
_ROUNDING = 1e-2  # half precision
_SCALES = (0.0, 0.03, 0.1, 0.3)

Undo = Literal["softmax", "sigmoid"]


@dataclass(frozen=True)
class Answers:
    """How outputs (B, outputs) are read, differentiable.

    Attributes:
        order: For each class of the task the output that stands for it; None where they are the same.
        undo: What made probabilities of logits: of all together (``softmax``), or of each alone (``sigmoid``); None
            where outputs are logits.
    """

    order: tuple[int, ...] | None = None
    undo: Undo | None = None

    def suits(self, outputs: int, classes: int) -> bool:
        """Whether a layer of so many outputs can be what these are read from."""
        return outputs == classes if self.order is None else outputs > max(self.order)

    def __call__(self, outputs: Tensor) -> Tensor:
        """Logits (B, classes)."""
        if self.undo == "softmax":
            outputs = outputs.float().clamp(min=_FLOOR).log()
        elif self.undo == "sigmoid":
            outputs = outputs.float().logit(eps=_FLOOR)
        return outputs if self.order is None else outputs[:, list(self.order)]


class OpenedTeacher(Teacher):
    """A network that was brought, or trained here, whose outputs are read in a certain way.

    Attributes:
        answers: How.
    """

    answers: Answers = Answers()

    def answering(self, answers: Answers) -> Self:
        """The same network, whose outputs are read in another way, under a hash of its own; itself where they are not.

        Args:
            answers: How they are read.
        """
        if answers == self.answers:
            return self
        read = copy.copy(self)
        read.answers = answers
        read.classes = self.classes if answers.order is None else len(answers.order)
        read.sha256 = digest({"teacher": self.sha256, "answers": asdict(answers)})
        return read


@dataclass(frozen=True)
class Readout:
    """How outputs are read, and what is said of it.

    Attributes:
        undo: As for :class:`Answers`.
        words: What they are, and what is made of them.
        warnings: What is odd.
    """

    undo: Undo | None
    words: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """A teacher whose outputs are not yet matched to classes.

    Attributes:
        teacher: The network, its outputs as they come.
        form: What it is, in words.
        readout: How its outputs are read; None where their values have to say.
        warnings: What is odd.
    """

    teacher: OpenedTeacher
    form: str
    readout: Readout | None = None
    warnings: tuple[str, ...] = ()


def stated_readout(stated: OutputKind) -> Readout:
    """Outputs read as the user says."""
    taken = ", whose logarithms are taken" if stated == "probabilities" else ""
    return Readout("softmax" if stated == "probabilities" else None, f"{stated}{taken} (stated by outputs)")


def seen_readout(teacher: Teacher, images: Tensor) -> Readout:
    """Outputs read as what their values are: never negative and of sum 1 (or 100), or logits.

    Args:
        teacher: Whose outputs are read as they come.
        images: A few that it may be shown (B, C, H, W). Pale noise is asked about besides: where a network is sure,
            probabilities of each class alone sum to 1 as well.
    """
    noise = torch.randn(len(_SCALES), *teacher.input_shape, generator=torch.Generator().manual_seed(0))
    pale = noise * torch.tensor(_SCALES).view(-1, 1, 1, 1)
    outputs = teacher.outputs(torch.cat([images.cpu(), pale]).to(teacher.device)).logits
    sums = outputs.sum(dim=1)
    total = next((total for total in _SUMS if bool(((sums - total).abs() < _ROUNDING * total).all())), None)
    if total is None or bool((outputs < 0).any()):
        return Readout(None, "logits")
    return Readout(
        "softmax",
        "probabilities, whose logarithms are taken",
        (
            f"its outputs are never negative and sum to {total:g}: they are taken for probabilities, and their"
            " logarithms for logits; if they are logits, say outputs: logits",
        ),
    )
