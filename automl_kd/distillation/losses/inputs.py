"""The kinds of input that a loss can ask for, one class each: what it reads, and which tensors that is at a step."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from automl_kd.distillation.signals import Signals

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A student's stage or submodule and the teacher's that it is compared with; shapes are channels, height, width."""

    student: str
    teacher: str
    student_shape: Shape
    teacher_shape: Shape


Pairs = tuple[Pair, ...]


class LossInputs(ABC):
    """One kind of input. The instances below are all there are; a loss names one of them in its spec.

    Attributes:
        name: Its name in the documentation, and in the decorator of a custom loss.
        needs_teacher: Whether the teacher is asked.
        beyond_logits: Whether the teacher is asked for more than its outputs.
        reads_outputs: Whether the outputs of a network are read, so that it matters what they mean.
        reads_maps: Whether feature maps are read, so that the loss takes ``at`` and its stages are paired.
        reads_means: Whether of the maps only their spatial means are read.
        reads_gradients: Whether the outputs are differentiated by the input.
        reads_labels: Whether labels are read, so that examples without them are of no use.
        sample_by_sample: Whether the outputs of some samples of a batch can be compared without the others.
        least_stages: How many pairs of stages the loss needs, where it reads maps.
    """

    name: ClassVar[str]
    needs_teacher: ClassVar[bool] = True
    beyond_logits: ClassVar[bool] = True
    reads_outputs: ClassVar[bool] = False
    reads_maps: ClassVar[bool] = False
    reads_means: ClassVar[bool] = False
    reads_gradients: ClassVar[bool] = False
    reads_labels: ClassVar[bool] = False
    sample_by_sample: ClassVar[bool] = False
    least_stages: ClassVar[int] = 1

    def calls(self, pairs: Pairs) -> list[Pairs]:
        """The pairs of stages that each call of the loss compares; by default all of them in one call."""
        return [pairs]

    @abstractmethod
    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        """The two tensors, or tuples of tensors, that one call of the loss compares.

        Args:
            pairs: The pairs of this call.
            student: What the student shows.
            teacher: What the teacher shows; None is allowed where :attr:`needs_teacher` is false.
            labels: As the task stores them, (B, …), or mixed ones (B, width).
        """


class _Labels(LossInputs):
    name = "labels"
    needs_teacher = False
    beyond_logits = False
    reads_outputs = True
    reads_labels = True
    sample_by_sample = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        return student.logits, labels


class _Logits(LossInputs):
    name = "logits"
    beyond_logits = False
    reads_outputs = True
    sample_by_sample = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        assert teacher is not None
        return student.logits, teacher.logits


class _Maps(LossInputs):
    name = "maps"
    reads_maps = True

    def calls(self, pairs: Pairs) -> list[Pairs]:
        return [(pair,) for pair in pairs]

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        (ours,), (theirs,) = _maps_of_both(pairs, student, teacher)
        return ours, theirs


class _Embeddings(_Maps):
    name = "embeddings"
    reads_means = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        ours, theirs = super().arguments(pairs, student, teacher, labels)
        return ours.mean(dim=(2, 3)), theirs.mean(dim=(2, 3))


class _AllStages(LossInputs):
    name = "all_stages"
    reads_maps = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        return _maps_of_both(pairs, student, teacher)


class _StagePairs(_AllStages):
    name = "stage_pairs"
    least_stages = 2

    def calls(self, pairs: Pairs) -> list[Pairs]:
        return list(itertools.pairwise(pairs))


class _Gradients(LossInputs):
    name = "gradients"
    reads_outputs = True
    reads_gradients = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        assert teacher is not None
        assert student.inputs is not None
        top = student.logits.gather(1, teacher.logits.argmax(dim=1, keepdim=True)).sum()
        (gradients,) = torch.autograd.grad(top, student.inputs, create_graph=True)
        return gradients, teacher.gradients


class _Exits(LossInputs):
    name = "exits"
    needs_teacher = False
    beyond_logits = False
    reads_outputs = True
    reads_maps = True
    reads_labels = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        return (*_student_maps(pairs, student), student.logits), labels


class _Peer(LossInputs):
    name = "peer"
    needs_teacher = False
    beyond_logits = False
    reads_outputs = True

    def arguments(self, pairs: Pairs, student: Signals, teacher: Signals | None, labels: Tensor) -> tuple[Any, Any]:
        assert student.inputs is not None
        return student.logits, student.inputs


LABELS = _Labels()
"""The student's outputs (B, width), and the labels in the teacher's place."""
LOGITS = _Logits()
"""The outputs (B, width) of both, as the networks give them: logits, or values."""
MAPS = _Maps()
"""Feature maps (B, C, H, W) of one pair of stages; the loss is called once for every pair."""
EMBEDDINGS = _Embeddings()
"""The spatial means (B, C) of the maps of one pair; the loss is called once for every pair."""
STAGE_PAIRS = _StagePairs()
"""Tuples of two maps of each network, from two neighbouring pairs; the loss is called once for every two neighbours."""
ALL_STAGES = _AllStages()
"""Tuples of the maps of all pairs, from the input to the output."""
GRADIENTS = _Gradients()
"""Gradients, by the input and of its shape (B, …), of the logit of the teacher's top class."""
EXITS = _Exits()
"""A tuple of the student's maps and its outputs, and the labels in the teacher's place."""
PEER = _Peer()
"""The student's outputs (B, width), and what it was given (B, …) in the teacher's place."""


def _student_maps(pairs: Sequence[Pair], student: Signals) -> tuple[Tensor, ...]:
    # In float32, because losses and adapters stand outside of autocast: relations and normalised maps need more than
    # the 8 bits of bfloat16.
    return tuple(student.maps[pair.student].float() for pair in pairs)


def _maps_of_both(
    pairs: Sequence[Pair], student: Signals, teacher: Signals | None
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    assert teacher is not None
    return _student_maps(pairs, student), tuple(teacher.maps[pair.teacher].float() for pair in pairs)
