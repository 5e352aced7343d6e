"""Parameters as numbers in which a kernel's distances are sums over columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from automl_kd.recipes import Categorical, Float, Hole, Integer

Params = Mapping[str, Any]
Features = Callable[[Sequence[Params]], NDArray[np.float64]]

FEATURE_SPREAD = 0.25
"""Standard deviation of features, beside ordered parameters that lie within a range of 1."""


@dataclass(frozen=True)
class Points:
    """Encoded candidates.

    Attributes:
        categories: Shape (n, options of all categorical parameters): one-hot, scaled so that two different options are
            at a squared distance of 1, and an option is at 1/2 from a parameter that is not there.
        ordered: Shape (n, ordered columns): values in [-1/2, 1/2], on the scale that is searched; 0 where a
            parameter is not there. Behind them, for parameters with equal options, how often each option is taken.
    """

    categories: NDArray[np.float64]
    ordered: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ordered)

    def __getitem__(self, rows: Any) -> Points:
        return Points(self.categories[rows], self.ordered[rows])

    def join(self, other: Points) -> Points:
        """These candidates, then the others."""
        return Points(
            np.concatenate([self.categories, other.categories]), np.concatenate([self.ordered, other.ordered])
        )


@dataclass(frozen=True)
class Layout:
    """What the one-hot columns of :class:`Points` stand for.

    Attributes:
        parameter: Position of each column's parameter among the categorical ones, shape (columns,).
        option: Position of each column's option among the distinct ones, shape (columns,): parameters with equal
            options share them, for an operator does much the same wherever it stands.
    """

    parameter: NDArray[np.int64]
    option: NDArray[np.int64]

    @property
    def parameters(self) -> int:
        """Number of categorical parameters."""
        return int(self.parameter.max(initial=-1)) + 1

    @property
    def options(self) -> int:
        """Number of distinct options."""
        return int(self.option.max(initial=-1)) + 1


class Encoder:
    """Encodes parameters of given distributions.

    Whether a conditional parameter is there shows in the columns of the parameter that decides it, so what is not there
    stands in the middle of its range and adds the least distance.

    Args:
        distributions: By name; categories whose options are numbers in ascending order count as ordered.
        features: Gives further ordered columns for a list of candidates, shape (n, k); or None.
        typical: Candidates by which features are standardised.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        features: Features | None = None,
        typical: Sequence[Params] = (),
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
        self.layout = Layout(np.array(parameter, dtype=np.int64), np.array(option, dtype=np.int64))
        self._features = features
        if features is not None:
            shown = np.asarray(features(typical), dtype=np.float64)
            self._centre, self._spread = shown.mean(axis=0), shown.std(axis=0)
            self._spread[self._spread == 0] = 1.0

    def encode(self, candidates: Sequence[Params]) -> Points:
        """Complete sets of parameters as points."""
        categories = np.zeros((len(candidates), len(self.layout.parameter)))
        ordered = np.zeros((len(candidates), len(self._ordered)))
        for name, columns in self._columns.items():
            rows = [row for row, params in enumerate(candidates) if name in params]
            values = [candidates[row][name] for row in rows]
            # The keys of _key without its calls, which cost more than the rest of this loop.
            categories[rows, [columns[value.__class__ is bool, value] for value in values]] = math.sqrt(0.5)
        for column, (name, number) in enumerate(self._ordered.items()):
            rows = [row for row, params in enumerate(candidates) if name in params]
            ordered[rows, column] = [number(candidates[row][name]) - 0.5 for row in rows]
        if self._groups:
            counts = [_counts(categories, rows) for rows in self._groups]
            ordered = np.concatenate([ordered, *counts], axis=1)
        if self._features is not None:
            shown = (np.asarray(self._features(candidates)) - self._centre) / self._spread
            ordered = np.concatenate([ordered, FEATURE_SPREAD * shown], axis=1)
        return Points(categories, ordered)


def hole_of(name: str, distribution: BaseDistribution) -> Hole:
    """A parameter as the hole that would suggest it, which knows what is ordered and where a value lies."""
    if isinstance(distribution, CategoricalDistribution):
        return Categorical(name, tuple(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return Integer(name, distribution.low, distribution.high, distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return Float(name, distribution.low, distribution.high, distribution.log)


def _numbers(hole: Hole) -> Callable[[Any], float]:
    """What stands for a value of an ordered parameter; where there are few, each is computed once."""
    return hole.number if isinstance(hole, Float) else cache(hole.number)


def _key(option: Any) -> tuple[bool, Any]:
    """Tells true from 1."""
    return isinstance(option, bool), option


def _groups(columns: Mapping[str, Mapping[Any, int]]) -> list[NDArray[np.int64]]:
    """One-hot columns of parameters with equal options, where there are several such, shape (parameters, options)."""
    found: dict[tuple[Any, ...], list[list[int]]] = {}
    for each in columns.values():
        found.setdefault(tuple(each), []).append(list(each.values()))
    return [np.array(rows) for rows in found.values() if len(rows) > 1]


def _counts(categories: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How often each option is taken among equal parameters, as a feature, shape (n, options)."""
    parameters, options = rows.shape
    share = 1.0 / options
    counts = (categories[:, rows] > 0).sum(axis=1)
    spread = math.sqrt(parameters * share * (1.0 - share))
    return np.asarray(FEATURE_SPREAD * (counts - parameters * share) / spread)
