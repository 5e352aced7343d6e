"""Candidates that can be proposed, with their costs and encoded parameters."""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers.candidates import CandidateSource
from automl_kd.samplers.encoding import Encoder, Params, Points
from automl_kd.samplers.history import key

Array = NDArray[np.float64]
Price = Callable[[Sequence[Params]], Array]

_MOST_LISTED = 20_000
"""Candidates of a finite space that are listed to find the last ones."""


class CandidatePool:
    """Feasible candidates that were not tried; each is priced and encoded once.

    Args:
        source: Where they come from.
        price: Known objectives of candidates, to be minimised, shape (n, known); infinite where infeasible.
    """

    def __init__(self, source: CandidateSource, price: Price) -> None:
        self._source = source
        self._price = price
        self._known: set[Hashable] = set()
        self._infeasible: set[Hashable] = set()
        self._listed = False
        self._fixed: Params = {}
        self.params: list[Params] = []
        self._keys: list[Hashable] = []
        self.costs: Array = np.empty((0, 0))
        """Known objectives, shape (n, known)."""
        self._encoder: Encoder | None = None
        self._points: Points | None = None

    def __len__(self) -> int:
        return len(self.params)

    def holds(self, params: Params) -> bool:
        """Whether this is one of the candidates."""
        return key(params) in self._known

    def add(self, candidates: Iterable[Params], tried: Container[Hashable]) -> int:
        """Add the candidates that are new, untried and feasible; returns how many these are."""
        new: dict[Hashable, Params] = {}
        for params in candidates:
            if self._fixed and not self._admits(params):
                continue
            name = key(params)
            if name not in self._known and name not in self._infeasible and name not in tried:
                new.setdefault(name, params)
        if not new:
            return 0
        costs = self._price(list(new.values()))
        feasible = np.array([bool(np.isfinite(row).all()) for row in costs])
        self._infeasible.update(name for name, fits in zip(new, feasible, strict=True) if not fits)
        kept = [(name, params) for (name, params), fits in zip(new.items(), feasible, strict=True) if fits]
        if not kept:
            return 0
        self.costs = np.concatenate([self.costs, costs[feasible]]) if self.params else costs[feasible]
        for name, params in kept:
            self._known.add(name)
            self._keys.append(name)
            self.params.append(params)
        return len(kept)

    def refill(self, count: int, rng: random.Random, tried: Container[Hashable]) -> None:
        """Add random candidates; where these are none and the pool is empty, every candidate of a finite space."""
        added = self.add((self._source.sample(rng, self._fixed) for _ in range(count)), tried)
        if not added and not self.params and not self._listed:
            candidates = self._source.all()
            if candidates is not None:
                self._listed = True
                self.add((each for each, _ in zip(candidates, range(_MOST_LISTED), strict=False)), tried)

    def fix(self, values: Params) -> None:
        """Admit only candidates that have these values, or do not have the parameters."""
        if values != self._fixed:
            self._fixed = values
            self.clear()

    def _admits(self, params: Params) -> bool:
        return all(params.get(name, value) == value for name, value in self._fixed.items())

    def breed(self, parents: Sequence[Params], count: int, rng: random.Random, tried: Container[Hashable]) -> None:
        """Add up to ``count`` mutations of each parent, of one or two steps."""
        children = []
        for parent in parents:
            for index in range(count):
                child = self._source.mutate(parent, rng)
                children.append(self._source.mutate(child, rng) if index % 2 else child)
        self.add(children, tried)

    def points(self, encoder: Encoder) -> Points:
        """All candidates encoded; all of them anew where the encoder is another one than before."""
        if self._encoder is not encoder:
            self._encoder, self._points = encoder, None
        done = 0 if self._points is None else len(self._points)
        if self._points is None or done < len(self.params):
            more = encoder.encode(self.params[done:])
            self._points = more if self._points is None else self._points.join(more)
        return self._points

    def keep(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Forget all candidates but these, which are given in ascending order."""
        self._keys = [self._keys[row] for row in rows]
        self._known = set(self._keys)
        self.params = [self.params[row] for row in rows]
        self.costs = self.costs[np.asarray(rows, dtype=np.int64)]
        if self._points is not None:  # of the first candidates, as far as they are encoded
            kept = np.asarray(rows, dtype=np.int64)
            self._points = self._points[kept[kept < len(self._points)]]

    def clear(self) -> None:
        """Forget all candidates, and which ones were infeasible."""
        self._infeasible.clear()
        self._listed = False
        self.keep([])

    def drop(self, tried: Container[Hashable]) -> None:
        """Forget the candidates that were tried meanwhile."""
        rows = [row for row, name in enumerate(self._keys) if name not in tried]
        if len(rows) < len(self._keys):
            self.keep(rows)
