"""The number that a step minimises: the weighted sum of a recipe's losses, balanced and watched for their health."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules
from automl_kd.distillation.balance import GradientBalance, UncertaintyBalance
from automl_kd.distillation.health import Health
from automl_kd.distillation.history import History
from automl_kd.distillation.losses import StepContext
from automl_kd.distillation.losses.tensors import in_units_of_labels
from automl_kd.distillation.probe import is_due, pulls
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.term import Term
from automl_kd.distillation.wiring import Wiring
from automl_kd.recipes import Distill

UNCERTAINTY = "balance"
"""The name among the adapters of the module that learns the weights of the losses."""


class Objective:
    """The sum of the losses of a recipe.

    Args:
        distill: The recipe's ``distill``.
        wiring: The losses, with their stages paired.
        adapters: The modules that they train, and under ``UNCERTAINTY`` the one that learns their weights, if any.
        trunk: The student's weights on which gradients are compared.
        others: Those on which they are compared while the trunk is held.
        total_steps: Length of the schedule.
    """

    def __init__(
        self,
        distill: Distill,
        wiring: Wiring,
        adapters: nn.ModuleDict,
        trunk: Sequence[nn.Parameter],
        others: Sequence[nn.Parameter],
        total_steps: int,
    ) -> None:
        self._curriculum = distill.curriculum
        self._terms = wiring.terms
        self._adapters = adapters
        self._trunk, self._others = list(trunk), list(others)
        self._total_steps = total_steps
        self._balance = GradientBalance() if distill.balance == "gradient" else None
        self._health = Health(drop=distill.unhealthy == "drop")
        self.history = History()

    @property
    def dropped(self) -> Mapping[str, str]:
        """The losses that are left out from now on, each with the reason."""
        return self._health.dropped

    def active(self, progress: float, *, held: bool = False) -> list[tuple[Term, float]]:
        """The losses that count at ``progress`` in [0, 1], with their weights.

        Args:
            progress: The share of the schedule that is done.
            held: Whether the trunk is held; losses that move nothing else are then left out.
        """
        left = (term for term in self._terms if term.name not in self.dropped)
        weighted = ((term, term.weight(progress)) for term in left if term.moves_beside_trunk or not held)
        return [(term, weight) for term, weight in weighted if weight > 0]

    def total(
        self,
        step: int,
        active: Sequence[tuple[Term, float]],
        student: Signals,
        teacher: Signals | None,
        context: StepContext,
        *,
        held: bool = False,
    ) -> Tensor | None:
        """The sum to minimise at a step, a scalar, or None where no loss has a weight.

        Args:
            step: Its number, from 0.
            active: The losses that count, with their weights.
            student: What the student shows.
            teacher: What the teacher shows; None where no loss of the step needs it.
            context: What else the losses may know.
            held: Whether the trunk is held. Losses of maps then teach their adapters at most, and are not called dead.

        Raises:
            Diverged: If this step is one at which losses are examined, and one of them does harm or nothing.
        """
        easiest = self._easiest(teacher, context)
        values: dict[str, Tensor] = {}
        warming_up, silent = set(), set()
        parts: list[Tensor] = []
        for term, _ in active:
            output = term.value(student, teacher, context, self._adapters, easiest)
            values[term.name] = output.loss
            self.history.record(term.name, step, output.loss)
            if output.adapter_loss is not None:
                parts.append(output.adapter_loss)
            if output.warming_up:
                warming_up.add(term.name)
            if held and not term.spec.inputs.reads_outputs:
                silent.add(term.name)
        weights = self._others if held else self._trunk
        self._examine(step, values, student.logits, context, frozenset(warming_up | silent), weights)
        parts += [self._weighted(term.name, weight, values) for term, weight in active if term.name not in warming_up]
        return torch.stack(parts).sum() if parts else None

    def restart_balance(self) -> None:
        """Forget the scales of the losses, because from now on they pull on other weights."""
        if self._balance is not None:
            self._balance = GradientBalance()

    def state_dict(self) -> dict[str, Any]:
        """The state that a checkpoint keeps."""
        return {
            "history": self.history.state_dict(),
            "balance": None if self._balance is None else self._balance.state_dict(),
            "health": self._health.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self.history.load_state_dict(state["history"])
        self._health.load_state_dict(state["health"])
        if self._balance is not None:
            self._balance.load_state_dict(state["balance"])

    def _weighted(self, name: str, weight: float, values: Mapping[str, Tensor]) -> Tensor:
        value = values[name]
        if self._balance is not None:
            return weight * self._balance.scale(name) * value
        if UNCERTAINTY in self._adapters:
            learned = self._adapters[UNCERTAINTY]
            assert isinstance(learned, UncertaintyBalance)
            return weight * learned(name, value)  # type: ignore[no-any-return]
        return weight * value

    def _easiest(self, teacher: Signals | None, context: StepContext) -> Tensor | None:
        if self._curriculum is None or teacher is None:
            return None
        share = schedules.share_of_batch(self._curriculum, context.progress)
        if share >= 1:
            return None
        difficulty = context.problem.losses(teacher.logits[: len(context.labels)], context.labels)
        return difficulty.topk(max(2, math.ceil(share * len(difficulty))), largest=False).indices

    def _examine(
        self,
        step: int,
        values: Mapping[str, Tensor],
        outputs: Tensor,
        context: StepContext,
        silent: frozenset[str],
        weights: Sequence[nn.Parameter],
    ) -> None:
        if not values:
            return
        balanced = {name for name in values if name not in silent}
        new = self._balance is not None and self._balance.wants(balanced)
        if not (new or self._health.wants(step) or is_due(step, self._total_steps)):
            return
        reference: Mapping[str, Tensor] = {}
        if self._balance is not None and "task" not in values:
            # Weights are in units of the task loss's pull, also while the task loss itself has no weight.
            reference = {"task": context.problem.loss(outputs[: len(context.labels)], context.labels)}
        found = pulls({**reference, **values}, weights)
        found = {name: pull for name, pull in found.items() if name in values}
        read = dict(zip(values, torch.stack([value.detach() for value in values.values()]).tolist(), strict=True))
        self._health.examine(step, read, found, silent)
        self._health.examine_answers(step, in_units_of_labels(outputs, context.problem.output))
        if self._balance is not None:
            self._balance.learn({name: pull for name, pull in found.items() if name in balanced})
