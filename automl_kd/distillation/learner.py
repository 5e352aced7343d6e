"""What learns in a run, and how a step moves it: optimizer, clipping, held trunk, running average."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules
from automl_kd.distillation.averaging import WeightAverage
from automl_kd.distillation.optimizers import admit, build_optimizer, groups_by_depth, set_learning_rate
from automl_kd.distillation.trunk import Trunk
from automl_kd.recipes import SGD, Train
from automl_kd.students import StudentModule

_OF_INTEGERS = 1.0
"""Largest norm of a gradient of SGD while a student learns in integers."""


class Learner:
    """The student and its adapters under an optimizer.

    Attributes:
        trunk: What of the student may be held.

    Args:
        student: With the weights from which it starts, as the losses have prepared it.
        adapters: What learns beside it.
        train: The recipe's ``train``.
        inherited: Whether the weights are those of a file, and not random ones.
    """

    def __init__(self, student: StudentModule, adapters: nn.Module, train: Train, *, inherited: bool) -> None:
        self._student, self._train, self._clip = student, train, train.clip
        trained = [weight for weight in student.parameters() if weight.requires_grad]
        self._weights = [*trained, *adapters.parameters()]
        decay = 1 if train.layer_decay is None else train.layer_decay
        groups = groups_by_depth(student, adapters, decay) if decay < 1 else self._weights
        self._optimizer = build_optimizer(train.optimizer, groups)
        self._average = None if train.ema is None else WeightAverage(student, train.ema)
        self.trunk = Trunk(student, inherited=inherited, frozen=train.batch_norm == "frozen")
        self._held = False
        self.trunk.hold(False)

    def learn_integers(self, scales: nn.Parameter) -> None:
        """Learn in the form of integers from now on, with the scales of activations, which do not decay.

        Gradients of SGD are clipped then: without the normalisation that is folded into the weights no step is bounded,
        and at the rate of the floats all that was learned was lost within eight steps. Clipped it never was, on
        students of digits, rates of .1 and .4, 6 and 12 epochs. Steps of AdamW do not grow with the gradient.
        """
        self._weights.append(scales)
        admit(self._optimizer, scales)
        if isinstance(self._train.optimizer, SGD):
            self._clip = min(self._train.clip or _OF_INTEGERS, _OF_INTEGERS)

    def begin(self, progress: float, *, held: bool) -> None:
        """Make ready for the step at ``progress`` in [0, 1]: the learning rates, and whether the trunk is held."""
        if held != self._held:
            self.trunk.hold(held)
            self._held = held
        set_learning_rate(self._optimizer, schedules.learning_rate(self._train, progress))

    def move(self, loss: Tensor | None, step: int) -> None:
        """Take a step.

        Args:
            loss: What it minimises, a scalar; None, or without a gradient, where nothing moves.
            step: Its number, from 0.
        """
        if loss is not None and loss.requires_grad:
            self._optimizer.zero_grad()
            torch.autograd.backward(loss)
            if self._clip is not None:
                nn.utils.clip_grad_norm_(self._weights, self._clip)
            self._optimizer.step()
        if self._average is not None:
            self._average.update(step)

    def averaged(self) -> StudentModule:
        """A copy of the student, with the averages of its weights where the recipe has them averaged."""
        student = copy.deepcopy(self._student)
        if self._average is not None:
            student.load_state_dict(student.state_dict() | self._average.state_dict())
        return student

    def state_dict(self) -> dict[str, Any]:
        """The state that a checkpoint keeps: ``optimizer``, and ``average`` or None."""
        average = None if self._average is None else self._average.state_dict()
        return {"optimizer": self._optimizer.state_dict(), "average": average}

    def load_state_dict(self, optimizer: Mapping[str, Any], average: Mapping[str, Tensor] | None) -> None:
        """Restore what :meth:`state_dict` gave."""
        self._optimizer.load_state_dict(dict(optimizer))
        if self._average is not None and average is not None:
            self._average.load_state_dict(average)
