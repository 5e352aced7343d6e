"""Mixed precision by layer: which layers of a trained student compute with floats, decided under a limit of latency."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from torch import nn

from automl_kd.compression import (
    Assignment,
    Judged,
    Loss,
    Sensitivity,
    applied,
    decided,
    fastest,
    kept_names,
    least_loss,
    priced,
    shipped,
    undecided,
)
from automl_kd.core import UserError, milliseconds
from automl_kd.distillation.evaluation import evaluate, outputs_of
from automl_kd.distillation.material import material_of
from automl_kd.hardware import Prediction
from automl_kd.recipes import Recipe
from automl_kd.students import Plan, StudentModule
from automl_kd.tasks import Task


@dataclass(frozen=True)
class MixedPrecision:
    """Which layers compute with floats, and what the choice rests on.

    Attributes:
        seed: Of the recipe by which the student was trained that was looked at.
        limit_ms: What the student may take.
        ms: What it is predicted to take.
        layers: The blocks of the plan by name.
        losses: What each loses alone in integers, on search-validation.
        integers: For each whether it computes with integers.
        keep_float: The layers in floats as the recipe names them.
        together: What the student as decided loses, measured.
        values: Its metrics on search-validation.
    """

    seed: int
    limit_ms: float
    ms: float
    layers: tuple[str, ...]
    losses: tuple[Loss, ...]
    integers: Assignment
    keep_float: tuple[str, ...]
    together: Loss
    values: Mapping[str, float]

    @property
    def words(self) -> str:
        """What was decided, in a line."""
        kept = ", ".join(self.keep_float) if any(self.integers) else "every layer"
        took = f"{milliseconds(self.ms)} predicted, of {milliseconds(self.limit_ms)} allowed"
        return f"computes {kept or 'no layer'} with floats: {took}"

    def document(self) -> dict[str, Any]:
        """The same as plain data."""
        losses = zip(self.layers, self.integers, self.losses, strict=True)
        return {
            "seed": self.seed,
            "limit_ms": self.limit_ms,
            "ms": self.ms,
            "layers": [{"layer": name, "integers": integer, **asdict(loss)} for name, integer, loss in losses],
            "together": asdict(self.together),
        }


class Device(Protocol):
    """A device that prices plans; a profile."""

    @property
    def name(self) -> str:
        """What users call it."""

    def price(self, plans: Sequence[Plan]) -> Sequence[Prediction]:
        """What each plan is predicted to take."""


class MixedPrecisionPolicy:
    """Decides which layers compute with floats, for recipes whose quantisation says ``keep_float: auto``.

    Args:
        device: Whose prices count.
        limit_ms: What the student may take there.
    """

    def __init__(self, device: Device, limit_ms: float) -> None:
        self._device = device
        self._limit = limit_ms

    def check(self, recipe: Recipe, plan: Plan) -> None:
        """Refuse, before any training, a limit that no choice of layers keeps.

        Args:
            recipe: The recipe, undecided.
            plan: Its student.

        Raises:
            UserError: If it does not fit into the device, or is slower than the limit however its layers compute.
        """
        whole = priced(recipe.compress, plan)
        (integers,) = self._device.price([whole])
        if not integers.fits:
            raise UserError(f"{self._device.name}: the student needs {integers.missing_bytes} bytes more memory")
        blocks = len(plan.blocks)
        (least,) = self._prices(whole)([fastest([0.0] * blocks, self._prices(whole))])
        if least > self._limit:
            raise UserError(
                f"max_latency {milliseconds(self._limit)}: the student is predicted to take {milliseconds(least)} on"
                f" {self._device.name} even with integers wherever they are faster; allow more, or make it smaller"
            )

    def decided(
        self, recipe: Recipe, student: StudentModule, task: Task, watch: Callable[[], object] = lambda: None
    ) -> tuple[Recipe, MixedPrecision]:
        """The recipe with its layers named, and why: that which loses least of what the limit allows.

        Args:
            recipe: The recipe, undecided.
            student: Trained by it; it is not touched.
            task: What it learned. Search-validation is read, once for each block of the student.
            watch: Called before every batch; an exception that it raises ends the measurement.

        Raises:
            UserError: If no choice of layers keeps the limit, or the student cannot be quantised.
        """
        part = undecided(recipe.compress)
        assert part is not None
        trained, seen = copy.deepcopy(student).cpu().eval(), task.at(recipe.student)
        before = recipe.compress[: recipe.compress.index(part)]
        material = material_of(seen, recipe.seed)

        judge = partial(_judged, seen, watch)
        with TemporaryDirectory() as scratch:
            quantised = applied(before, trained)
            measured = Sensitivity(part, quantised, material, judge, seen.metric, Path(scratch), threads=recipe.threads)
            losses = measured.of_layers()
            prices = self._prices(priced(recipe.compress, trained.plan))
            chosen = least_loss([each.nats for each in losses], prices, self._limit)
            if chosen is None:
                raise UserError(f"max_latency {milliseconds(self._limit)}: no choice of layers keeps it")
            together = measured.of(chosen)
        kept = kept_names(trained.plan, chosen)
        result = recipe.model_copy(update={"compress": decided(recipe.compress, kept)})
        form = shipped(result.compress, trained, material, recipe.threads)
        return result, MixedPrecision(
            seed=recipe.seed,
            limit_ms=self._limit,
            ms=prices([chosen])[0],
            layers=trained.plan.block_names,
            losses=losses,
            integers=chosen,
            keep_float=kept,
            together=together,
            values=evaluate(form, seen, seen.validation, "cpu", watch).values,
        )

    def _prices(self, whole: Plan) -> Callable[[Sequence[Assignment]], list[float]]:
        """Prices of a plan of which any blocks compute with integers."""

        def of(assignments: Sequence[Assignment]) -> list[float]:
            return [each.ms for each in self._device.price([replace(whole, integers=each) for each in assignments])]

        return of


def _judged(task: Task, watch: Callable[[], object], form: nn.Module) -> Judged:
    """What a form of a student answers on search-validation."""
    outputs = outputs_of(form, task, task.validation, "cpu", watch)
    return Judged(outputs, task.metric.statistics(outputs, task.validation.labels.cpu()))
