"""One loss of a recipe at work: its weight over the run, and what it compares at a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules, temperatures
from automl_kd.distillation.losses import BuildContext, LossOutput, LossSpec, Pair, StepContext
from automl_kd.distillation.signals import Signals
from automl_kd.recipes import HandOver, Loss
from automl_kd.students import PROJECTOR


@dataclass(frozen=True)
class Term:
    """One loss of a recipe.

    Attributes:
        name: Its name under ``distill.losses``.
        part: Its part of the recipe.
        spec: The loss itself.
        pairs: The stages that it compares, from input to output.
        handover: The hand-over that moves weight to it or from it, if any.
    """

    name: str
    part: Loss
    spec: LossSpec
    pairs: tuple[Pair, ...] = ()
    handover: HandOver | None = None

    @property
    def moves_beside_trunk(self) -> bool:
        """Whether the loss can move anything while the trunk is held: the classifier, a projector, or adapters."""
        projected = any(pair.student == PROJECTOR for pair in self.pairs)
        return self.spec.inputs.reads_outputs or self.spec.adapter is not None or projected

    def weight(self, progress: float) -> float:
        """The weight at ``progress`` in [0, 1], after the hand-over."""
        scheduled = schedules.weight(self.part, progress)
        if self.handover is None:
            return scheduled
        moved = schedules.handed_over(self.handover, progress)
        return scheduled * (moved if self.handover.target == self.name else 1 - moved)

    def adapters(self, context: BuildContext) -> Iterator[tuple[str, nn.Module]]:
        """Fresh modules that the loss trains, by the name under which :meth:`value` looks them up."""
        if self.spec.adapter is not None:
            for pairs in self.spec.inputs.calls(self.pairs):
                module = self.spec.adapter(self.part, pairs, context)
                if module is not None:
                    yield self._key(pairs), module
        learned = temperatures.module(self._temperature)
        if learned is not None:
            yield self._temperature_key, learned

    def value(
        self,
        student: Signals,
        teacher: Signals | None,
        context: StepContext,
        adapters: nn.ModuleDict,
        easiest: Tensor | None = None,
    ) -> LossOutput:
        """The unweighted loss and what its adapters learn by, each summed over the calls of the loss.

        Args:
            student: What the student shows.
            teacher: What the teacher shows; None where no loss of the step needs it.
            context: Progress, labels and index of the step. Where there are fewer labels than samples, a loss that
                reads labels is given the first ones alone.
            adapters: The modules that :meth:`adapters` made, of all terms.
            easiest: The samples (N,) with labels whose outputs are compared, None for all. Those without labels are
                compared in any case, because nothing tells which of them are easy.
        """
        if len(context.labels) < len(context.index) and self.spec.reads_labels(self.part):
            count = len(context.labels)
            student, teacher = student.first(count), None if teacher is None else teacher.first(count)
            context = replace(context, index=context.index[:count])
        if easiest is not None and self.spec.inputs.sample_by_sample:
            rows = _with_unlabelled(easiest, context)
            student = student.with_logits_of(rows)
            teacher = None if teacher is None else teacher.with_logits_of(rows)
            context = replace(context, labels=context.labels[easiest], index=context.index[rows])
        if self._temperature is not None:
            learned = _child(adapters, self._temperature_key)
            context = replace(
                context,
                temperature=temperatures.at(
                    self._temperature,
                    context.progress,
                    teacher.logits if teacher is not None else None,
                    learned,
                    context.problem.meaning,
                ),
            )
        outputs: list[LossOutput] = []
        for pairs in self.spec.inputs.calls(self.pairs):
            told = replace(context, adapter=_child(adapters, self._key(pairs)))
            ours, theirs = self.spec.inputs.arguments(pairs, student, teacher, context.labels)
            value = self.spec.compare(self.part, ours, theirs, told)
            outputs.append(value if isinstance(value, LossOutput) else LossOutput(value))
        adapter_losses = [each.adapter_loss for each in outputs if each.adapter_loss is not None]
        return LossOutput(
            loss=_sum([each.loss for each in outputs]),
            adapter_loss=_sum(adapter_losses) if adapter_losses else None,
            warming_up=all(each.warming_up for each in outputs),
        )

    @property
    def _temperature(self) -> Any:
        return getattr(self.part, "temperature", None)

    @property
    def _temperature_key(self) -> str:
        return f"{self.name}_temperature"

    def _key(self, pairs: tuple[Pair, ...]) -> str:
        # A module's name holds no dots.
        return "_".join((self.name, *(pair.student for pair in pairs))).replace(".", "_")


def _with_unlabelled(rows: Tensor, context: StepContext) -> Tensor:
    """Positions in a batch, and behind them those of all its samples that have no label."""
    labelled, count = len(context.labels), len(context.index)
    return rows if labelled == count else torch.cat((rows, torch.arange(labelled, count, device=rows.device)))


def _child(modules: nn.ModuleDict, name: str) -> nn.Module | None:
    return modules[name] if name in modules else None  # noqa: SIM401 - a ModuleDict has no get


def _sum(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).sum()
