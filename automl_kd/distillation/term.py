"""One loss of a recipe at work: its weight over the run, and what it compares at a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules, temperatures
from automl_kd.distillation.losses import Contract, Moment, Pair, Scene, WithOwn
from automl_kd.recipes import HandOver, Loss


@dataclass(frozen=True)
class Signals:
    """What a network gives for a batch.

    Attributes:
        logits: (B, classes).
        maps: (B, C, H, W) by stage or path.
        images: What it saw, (B, C, H, W).
        gradients: Of the top class's logit by the image, (B, C, H, W), where a loss asked the teacher for them.
    """

    logits: Tensor
    maps: Mapping[str, Tensor]
    images: Tensor
    gradients: Tensor | None = None


@dataclass(frozen=True)
class Term:
    """One loss of a recipe.

    Attributes:
        name: Its name under ``distill.losses``.
        part: What the recipe says of it.
        contract: What it is.
        pairs: The stages that it compares, from input to output.
        handover: What moves weight to it or from it.
    """

    name: str
    part: Loss
    contract: Contract
    pairs: tuple[Pair, ...] = ()
    handover: HandOver | None = None

    def weight(self, progress: float) -> float:
        """The weight at ``progress`` in [0, 1], with what the hand-over has moved."""
        own = schedules.weight(self.part, progress)
        if self.handover is None:
            return own
        moved = schedules.handed_over(self.handover, progress)
        return own * (moved if self.handover.target == self.name else 1 - moved)

    def adapters(self, scene: Scene) -> Iterator[tuple[str, nn.Module]]:
        """Fresh modules that the loss trains, by the name under which :meth:`value` looks for them."""
        if self.contract.adapter is not None:
            for pairs in self._comparisons():
                module = self.contract.adapter(self.part, pairs, scene)
                if module is not None:
                    yield self._key(pairs), module
        learned = temperatures.module(self._temperature)
        if learned is not None:
            yield self._temperature_key, learned

    def value(
        self,
        student: Signals,
        teacher: Signals | None,
        moment: Moment,
        adapters: nn.ModuleDict,
        rows: Tensor | None = None,
    ) -> WithOwn:
        """The unweighted loss, summed over stages, and what the loss's own parameters learn by, if anything.

        Args:
            student: What the student shows.
            teacher: What the teacher shows, if any loss needs one.
            moment: The step; labels, index and progress.
            adapters: What :meth:`adapters` made, of all terms.
            rows: The samples (N,) whose logits are compared, None for all.
        """
        if rows is not None and self.contract.inputs in ("labels", "logits"):
            student, teacher = _of(student, rows), None if teacher is None else _of(teacher, rows)
            moment = replace(moment, labels=moment.labels[rows], index=moment.index[rows])
        if self._temperature is not None:
            learned = _child(adapters, self._temperature_key)
            moment = replace(
                moment,
                temperature=temperatures.at(
                    self._temperature, moment.progress, teacher.logits if teacher is not None else None, learned
                ),
            )
        found: list[WithOwn] = []
        for pairs in self._comparisons():
            told = replace(moment, adapter=_child(adapters, self._key(pairs)))
            ours, theirs = self._inputs(pairs, student, teacher, moment.labels)
            value = self.contract.compare(self.part, ours, theirs, told)
            found.append(value if isinstance(value, WithOwn) else WithOwn(value))
        own = [each.own for each in found if each.own is not None]
        return WithOwn(
            _sum([each.loss for each in found]), _sum(own) if own else None, all(each.silent for each in found)
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

    def _comparisons(self) -> list[tuple[Pair, ...]]:
        """The pairs of every call of the loss."""
        match self.contract.inputs:
            case "maps" | "embeddings":
                return [(pair,) for pair in self.pairs]
            case "flows":
                return list(zip(self.pairs, self.pairs[1:], strict=False))
            case _:
                return [self.pairs]

    def _inputs(
        self, pairs: tuple[Pair, ...], student: Signals, teacher: Signals | None, labels: Tensor
    ) -> tuple[Any, Any]:
        # Adapters and losses stand outside of autocast: relations and normalised maps need more than 8 bits.
        ours = tuple(student.maps[pair.student].float() for pair in pairs)
        match self.contract.inputs:
            case "labels":
                return student.logits, labels
            case "peer":
                return student.logits, student.images
            case "exits":
                return (*ours, student.logits), labels
        assert teacher is not None
        theirs = tuple(teacher.maps[pair.teacher].float() for pair in pairs)
        match self.contract.inputs:
            case "logits":
                return student.logits, teacher.logits
            case "maps":
                return ours[0], theirs[0]
            case "embeddings":
                return ours[0].mean(dim=(2, 3)), theirs[0].mean(dim=(2, 3))
            case "gradients":
                top = student.logits.gather(1, teacher.logits.argmax(dim=1, keepdim=True)).sum()
                (gradients,) = torch.autograd.grad(top, student.images, create_graph=True)
                return gradients, teacher.gradients
            case _:
                return ours, theirs


def _of(signals: Signals, rows: Tensor) -> Signals:
    return replace(signals, logits=signals.logits[rows])


def _child(modules: nn.ModuleDict, name: str) -> nn.Module | None:
    return modules[name] if name in modules else None  # noqa: SIM401 - a ModuleDict has no get


def _sum(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).sum()
