"""Parameters encoded as columns of numbers, over which a kernel sums its distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from automl_kd.core import UserError
from automl_kd.recipes import Categorical, Float, Hole, Integer
from automl_kd.samplers.user_functions import call

Params = Mapping[str, Any]
Features = Callable[[Sequence[Params]], NDArray[np.float64]]

FEATURE_SPREAD = 0.25
"""Standard deviation of features; ordered parameters lie in a range of width 1."""
_FAR = 10.0
"""Bound of encoded ordered values, because an enqueued trial can have any value, also far out of its range."""


@dataclass(frozen=True)
class Points:
    """Encoded candidates.

    Attributes:
        categories: Shape (n, options of all categorical parameters): one-hot, scaled so that two different options are
            at a squared distance of 1, and an option is at 1/2 from a missing parameter.
        ordered: Shape (n, ordered columns): values in [-1/2, 1/2], on the scale that is searched; 0 for a missing
            parameter. Then, for parameters that share their options, the count of each option; then the features.
    """

    categories: NDArray[np.float64]
    ordered: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ordered)

    def __getitem__(self, rows: Any) -> Points:
        return Points(self.categories[rows], self.ordered[rows])

    def join(self, other: Points) -> Points:
        """These candidates, followed by the others."""
        return Points(
            np.concatenate([self.categories, other.categories]), np.concatenate([self.ordered, other.ordered])
        )


@dataclass(frozen=True)
class Layout:
    """The meaning of the columns of :class:`Points`.

    Attributes:
        parameter: Position of each column's parameter among the categorical ones, shape (columns,).
        option: Position of each column's option among the distinct ones, shape (columns,). Parameters with equal
            options share them, because an operator has much the same effect at every place.
        features: How many of the last ordered columns are features.
    """

    parameter: NDArray[np.int64]
    option: NDArray[np.int64]
    features: int

    @property
    def parameters(self) -> int:
        """Number of categorical parameters."""
        return int(self.parameter.max(initial=-1)) + 1

    @property
    def options(self) -> int:
        """Number of distinct options."""
        return int(self.option.max(initial=-1)) + 1


class Encoder:
    """The encoder of parameters with given distributions.

    A missing conditional parameter is encoded as the middle of its range, where it adds the least distance: that it is
    missing already shows in the columns of the parameter that decides it.

    Args:
        distributions: By name; categories whose options are numbers in ascending order count as ordered.
        features: Gives further ordered columns for a list of candidates, shape (n, k); or None. Only their ranks count,
            because scores of networks have long tails, and are infinite for networks without a path to the output.
        typical: Candidates among which features are ranked.
        to_external: Gives the parameters of a candidate as the user's functions know them.

    Raises:
        UserError: If ``features`` raises, or gives something else than numbers; :meth:`encode` raises it, too.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        features: Features | None = None,
        typical: Sequence[Params] = (),
        to_external: Callable[[Params], Params] = dict,
    ) -> None:
        holes = [hole_of(name, each) for name, each in distributions.items() if not each.single()]
        self._ordered = {hole.name: _numbers(hole) for hole in holes if hole.kind == "ordered"}
        self._columns: dict[str, dict[Any, int]] = {}
        parameter: list[int] = []
        option: list[int] = []
        distinct: dict[tuple[Any, ...], int] = {}
        for hole in holes:
            if isinstance(hole, Categorical) and hole.kind == "category":
                keys = tuple(map(_key, hole.options))
                self._columns[hole.name] = {key: len(parameter) + index for index, key in enumerate(keys)}
                first = distinct.setdefault(keys, sum(map(len, distinct)))
                parameter += [len(self._columns) - 1] * len(keys)
                option += range(first, first + len(keys))
        self._groups = _groups(self._columns)
        self._features = features
        self._to_external = to_external
        self._typical = np.empty((0, 0)) if features is None else np.sort(self._computed(features, typical), axis=0)
        counted = self._typical.shape[1]
        self.layout = Layout(np.array(parameter, dtype=np.int64), np.array(option, dtype=np.int64), counted)

    def encode(self, candidates: Sequence[Params]) -> Points:
        """Complete sets of parameters as points."""
        categories = np.zeros((len(candidates), len(self.layout.parameter)))
        ordered = np.zeros((len(candidates), len(self._ordered)))
        for name, columns in self._columns.items():
            rows = [row for row, params in enumerate(candidates) if name in params]
            values = [candidates[row][name] for row in rows]
            # As `_key` makes them, but without the call, which would take longer than the rest of this loop.
            categories[rows, [columns[value.__class__ is bool, value] for value in values]] = math.sqrt(0.5)
        for column, (name, number) in enumerate(self._ordered.items()):
            rows = [row for row, params in enumerate(candidates) if name in params]
            ordered[rows, column] = [number(candidates[row][name]) - 0.5 for row in rows]
        np.clip(ordered, -_FAR, _FAR, out=ordered)
        if self._groups:
            counts = [_counts(categories, rows) for rows in self._groups]
            ordered = np.concatenate([ordered, *counts], axis=1)
        if self._features is not None:
            features = self._computed(self._features, candidates)
            ranks = [_rank(*each) for each in zip(features.T, self._typical.T, strict=True)]
            ordered = np.column_stack([ordered, *ranks])
        return Points(categories, ordered)

    def _computed(self, features: Features, candidates: Sequence[Params]) -> NDArray[np.float64]:
        """Features of candidates, shape (n, k)."""
        params = [self._to_external(each) for each in candidates]
        found: NDArray[np.float64] = call("features", lambda many: np.asarray(features(many), dtype=float), params)
        if found.ndim != 2 or len(found) != len(params):
            raise UserError(f"features: gave shape {found.shape} for {len(params)} sets of parameters, not (n, k)")
        missing = np.isnan(found).any(axis=1)
        if missing.any():
            raise UserError(f"features: gave no number for {dict(params[int(missing.argmax())])}")
        return found


class _Table(dict[Any, float]):
    """A table of the numbers that encode a parameter's values, each computed once."""

    def __init__(self, number: Callable[[Any], float]) -> None:
        super().__init__()
        self._number = number

    def __missing__(self, value: Any) -> float:
        self[value] = self._number(value)
        return self[value]


def hole_of(name: str, distribution: BaseDistribution) -> Hole:
    """The hole that would suggest a parameter: it knows whether values are ordered, and where each lies."""
    if isinstance(distribution, CategoricalDistribution):
        return Categorical(name, tuple(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return Integer(name, distribution.low, distribution.high, distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return Float(name, distribution.low, distribution.high, distribution.log)


def _numbers(hole: Hole) -> Callable[[Any], float]:
    """The function that encodes a value of an ordered parameter; few values are computed once each."""
    return hole.number if isinstance(hole, Float) else _Table(hole.number).__getitem__


def _key(option: Any) -> tuple[bool, Any]:
    """What tells options apart, also true from 1."""
    return isinstance(option, bool), option


def _rank(values: NDArray[np.float64], typical: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of values among typical ones, in [-1/2, 1/2]; the middle rank where some are equal."""
    below, upto = np.searchsorted(typical, values, "left"), np.searchsorted(typical, values, "right")
    return np.asarray((below + upto) / (2 * len(typical)) - 0.5)


def _groups(columns: Mapping[str, Mapping[Any, int]]) -> list[NDArray[np.int64]]:
    """One-hot columns of each group of parameters that share their options, shape (parameters, options)."""
    found: dict[tuple[Any, ...], list[list[int]]] = {}
    for each in columns.values():
        found.setdefault(tuple(each), []).append(list(each.values()))
    return [np.array(rows) for rows in found.values() if len(rows) > 1]


def _counts(categories: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How often each option occurs among parameters that share it, scaled as a feature, shape (n, options)."""
    parameters, options = rows.shape
    share = 1.0 / options
    counts = (categories[:, rows] > 0).sum(axis=1)
    spread = math.sqrt(parameters * share * (1.0 - share))
    return np.asarray(FEATURE_SPREAD * (counts - parameters * share) / spread)
