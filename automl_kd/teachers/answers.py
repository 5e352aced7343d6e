"""From what a teacher returns to one raw output for each name of the task."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal, Self

import torch
from torch import Tensor

from automl_kd.core import Meaning, UserError
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
        order: For each name of the task the output that stands for it; None where they are the same.
        undo: What made probabilities of logits: of all together (``softmax``), or of each alone (``sigmoid``); None
            where outputs are logits.
    """

    order: tuple[int, ...] | None = None
    undo: Undo | None = None

    def suits(self, outputs: int, width: int) -> bool:
        """Whether a layer of so many outputs can be what these are read from."""
        return outputs == width if self.order is None else outputs > max(self.order)

    def __call__(self, outputs: Tensor) -> Tensor:
        """Raw outputs (B, width)."""
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
        if answers.order is not None:
            read.signature = self.signature.with_width(len(answers.order))
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
    """A teacher whose outputs are not yet matched to names.

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


_KINDS: Mapping[Meaning, tuple[OutputKind, ...]] = MappingProxyType(
    {
        "categorical": ("logits", "probabilities", "log-probabilities"),
        "bernoulli": ("logits", "probabilities"),
        "real": ("values",),
    }
)


def check_kind(stated: OutputKind | None, meaning: Meaning, problem: str) -> None:
    """See to it that outputs of a problem can be what a user says.

    Args:
        stated: What the user says, if anything.
        meaning: What the task's outputs are.
        problem: The problem's name, for the error.

    Raises:
        UserError: If they cannot.
    """
    if stated is not None and stated not in _KINDS[meaning]:
        known = " or ".join(_KINDS[meaning])
        raise UserError(f"teacher.outputs: those of a {problem} task are no {stated}; say {known}, or leave it out")


def stated_readout(stated: OutputKind, meaning: Meaning) -> Readout:
    """Outputs read as the user says.

    Args:
        stated: What the user says; :func:`check_kind` had no objection.
        meaning: What the task's outputs are.
    """
    if stated != "probabilities":
        return Readout(None, f"{stated} (stated by outputs)")
    if meaning == "bernoulli":
        return Readout("sigmoid", "probabilities, whose log-odds are taken (stated by outputs)")
    return Readout("softmax", "probabilities, whose logarithms are taken (stated by outputs)")


def seen_readout(teacher: Teacher, examples: Tensor) -> Readout:
    """Outputs read as what their values are.

    Of one distribution over all: probabilities where they are never negative and of sum 1 (or 100). Of a yes or no
    each: probabilities where they lie between 0 and 1. Else logits; real ones are the values that they are.

    Args:
        teacher: Whose outputs are read as they come.
        examples: A few that it may be shown (B, …). Pale noise is asked about besides: where a network is sure,
            probabilities of each class alone sum to 1 as well.
    """
    meaning = teacher.signature.output.meaning
    if meaning == "real":
        return Readout(None, "values")
    noise = teacher.signature.input.noise(len(_SCALES), torch.Generator().manual_seed(0))
    if noise.is_floating_point():
        noise = noise * torch.tensor(_SCALES).view(-1, *(1 for _ in noise.shape[1:]))
    outputs = teacher.outputs(torch.cat([examples.cpu(), noise]).to(teacher.device)).logits
    return _seen_of_each(outputs) if meaning == "bernoulli" else _seen_of_all(outputs)


def _seen_of_each(outputs: Tensor) -> Readout:
    if bool((outputs < 0).any()) or bool((outputs > 1).any()):
        return Readout(None, "logits")
    return Readout(
        "sigmoid",
        "probabilities, whose log-odds are taken",
        (
            "its outputs lie between 0 and 1: they are taken for probabilities, and their log-odds for logits; if they"
            " are logits, say outputs: logits",
        ),
    )


def _seen_of_all(outputs: Tensor) -> Readout:
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
