"""Prices of plans on one target: blocks of integers, blocks that are kept in floats, and conversions between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from automl_kd.core import UserError
from automl_kd.hardware.blocks import Form, Part, PartTable, Row, Sums, TracedBlocks
from automl_kd.hardware.kernels.graph import Graph, Shape
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.qdq import TO_FLOATS, TO_INTEGERS, conversion, quantised
from automl_kd.hardware.plan import FLOAT32, Plan
from automl_kd.hardware.predictor.cost import Floats
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.price_model import PriceModel, Times, kind_sums, parameters_of, weights_of
from automl_kd.hardware.profile_file import Target, WeightScheme
from automl_kd.hardware.quantised_form import QuantisedForm, unfit

_CAST = "cast"
"""A conversion under a runtime whose table has none of integers."""


class OfFloats(Protocol):
    """The target of the same device that prices what is kept in floats."""

    @property
    def model(self) -> PriceModel:
        """What prices its kernels."""

    def lower(self, graph: Graph) -> Network:
        """Its kernels for a graph."""


class PlanPrices:
    """Prices plans on a target; keeps the price of every block that it has seen, in each form.

    Args:
        name: What users call the target.
        target: The target.
        traced: A block's graph.
        own: The target itself, as it prices kernels.
        floats: Where what is kept in floats is priced; None on a target of floats, and where nothing can be kept.
    """

    def __init__(
        self, name: str, target: Target, traced: TracedBlocks, own: OfFloats, floats: Callable[[], OfFloats | None]
    ) -> None:
        self._name = name
        self._target = target
        self._traced = traced
        self._own = own
        self._floats = floats
        self._default = Form.INTEGERS if target.of_integers else Form.FLOATS
        self._table = PartTable(self._row)

    def price(self, plans: Sequence[Plan]) -> list[Prediction]:
        """Latency, memory, energy and size of plans.

        Raises:
            UserError: If a plan is empty, its blocks do not fit each other, or the target does not run it.
        """
        if not plans:
            return []
        sums = self._gather(plans)
        both = sums.integers + sums.floats
        sizes = [
            round(integers * plan.weight_bytes + floats * (FLOAT32 if plan.integers else plan.weight_bytes))
            for integers, floats, plan in zip(
                parameters_of(sums.integers).tolist(), parameters_of(sums.floats).tolist(), plans, strict=True
            )
        ]
        return self._own.model.predictions(both, sums.peaks, self._times(plans, sums, both), sizes)

    def seconds_by_kind(self, plans: Sequence[Plan]) -> Floats:
        """Predicted seconds of the kernels of plans, by kind, (N, K)."""
        sums = self._gather(plans)
        return kind_sums(sums.integers + sums.floats)

    def graphs(self, plan: Plan) -> list[Graph]:
        """Each block of a plan, traced.

        Raises:
            UserError: As :meth:`price`.
        """
        self._gather([plan])
        return [self._traced(block) for block in plan.blocks]

    def networks(self, plan: Plan) -> list[Network]:
        """Each part of a plan as kernels, in execution order.

        Raises:
            UserError: As :meth:`price`.
        """
        self._gather([plan])
        return [self._lowered(*part)[0] for part in self._parts(plan)]

    def _gather(self, plans: Sequence[Plan]) -> Sums:
        for plan in plans:
            fault = unfit(QuantisedForm(_scheme(plan), not all(plan.integers)), self._name, self._target)
            if fault is not None:
                raise UserError(f"{fault.about}: {fault.reason}")
        return self._table.gather([self._parts(plan) for plan in plans])

    def _parts(self, plan: Plan) -> list[Part]:
        if not plan.integers and not (self._target.of_integers and self._target.from_files):
            return [(self._default, block) for block in plan.blocks]
        return list(self._converted(plan)) if plan.blocks else []

    def _converted(self, plan: Plan) -> Iterator[Part]:
        """The parts of a plan with the conversions between its blocks; where files are priced, around it, too."""
        outside = self._target.from_files
        integers = plan.integers or (True,) * len(plan.blocks)
        source = plan.blocks[0].input
        before = integers[0] and not (outside and source.ids is None)
        shape: Shape = source.shape
        for block, now in zip(plan.blocks, integers, strict=True):
            if now != before:
                yield (Form.TO_INTEGERS if now else Form.TO_FLOATS), shape
            part = (Form.INTEGERS if now else Form.FLOATS), block
            yield part
            before, shape = now, self._table.row(part).gives
        if outside and before:
            yield Form.TO_FLOATS, shape

    def _times(self, plans: Sequence[Plan], sums: Sums, both: Floats) -> Times:
        model, weights = self._own.model, weights_of(both)
        if not self._target.of_integers:
            return model.times(both, weights)
        times = model.times(sums.integers, weights).scaled(np.array([self._slower(plan) for plan in plans]))
        kept = np.flatnonzero([not all(plan.integers) for plan in plans])
        if not len(kept):
            return times
        floats = self._floats()
        assert floats is not None  # refused before
        alone = np.array([not any(plans[row].integers) for row in kept.tolist()])
        own_model = floats.model
        intercepts = np.where(alone, own_model.coefficients.intercept, 0.0)
        rest = own_model.times(sums.floats[kept], np.where(alone, weights[kept], 0.0), intercepts)
        return times.scaled(_zeros_at(kept[alone], len(plans))).followed_by(rest, kept)

    def _slower(self, plan: Plan) -> float:
        integers, scheme = self._target.integers, _scheme(plan)
        return 1.0 if integers is None or scheme is None else integers.slower.get(scheme, 1.0)

    def _row(self, form: Form, what: Any) -> Row:
        network, by = self._lowered(form, what)
        numbers, peak, gives = by.model.numbers(network), network.peak, network.output[1:]
        takes = what.input.shape if form in (Form.INTEGERS, Form.FLOATS) else what
        converts = form in (Form.TO_INTEGERS, Form.TO_FLOATS)
        of_floats = form is Form.FLOATS or (converts and not self._target.from_files)
        return Row(numbers, peak, takes, what if converts else gives, of_floats)

    def _lowered(self, form: Form, what: Any) -> tuple[Network, OfFloats]:
        """A part as kernels, and the target that they are of."""
        floats = self._floats() if self._target.of_integers and form is not Form.INTEGERS else self._own
        by = self._own if floats is None else floats
        if form is Form.FLOATS:
            return by.lower(self._traced(what)), by
        files = self._target.from_files
        if form is Form.INTEGERS:
            graph = self._traced(what)
            return self._own.lower(quantised(graph) if files else graph), self._own
        by = self._own if files else by
        type = _CAST if not files else TO_INTEGERS if form is Form.TO_INTEGERS else TO_FLOATS
        return by.lower(conversion((1, *what), type)), by


def _scheme(plan: Plan) -> WeightScheme | None:
    if plan.per_channel is None:
        return None
    return "per-channel" if plan.per_channel else "per-tensor"


def _zeros_at(rows: Any, count: int) -> Floats:
    """Ones, (count,), with zeros at some rows."""
    found = np.ones(count)
    found[rows] = 0.0
    return found
