"""Which blocks of a chain compute with integers: the choices of which none is both faster and loses less, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Assignment = tuple[bool, ...]
"""For each block of a plan whether it computes with integers, as ``Plan.integers``."""
Prices = Callable[[Sequence[Assignment]], Sequence[float]]
"""Milliseconds of assignments; infinite where one does not fit into the device."""


@dataclass(frozen=True)
class ChainCost:
    """Milliseconds of every assignment as a sum over blocks and over pairs of neighbours.

    What is converted at a border depends on the two blocks beside it alone, and any function of two yes or no is a
    constant, a term of each, and one of both.

    Attributes:
        integers: With integers everywhere.
        floats: More (or less) with one block in floats, (K,).
        pairs: More (or less) with two neighbours in floats than both terms say, (K - 1,): the conversions between.
    """

    integers: float
    floats: tuple[float, ...]
    pairs: tuple[float, ...]

    @classmethod
    def of_prices(cls, prices: Prices, blocks: int) -> ChainCost:
        """The sum that gives the prices of up to two neighbours in floats.

        Args:
            prices: Asked once, for 2 K assignments; integers everywhere have to fit into the device.
            blocks: How many there are, K.
        """
        alone = [_but({at}, blocks) for at in range(blocks)]
        both = [_but({at, at + 1}, blocks) for at in range(blocks - 1)]
        none, *rest = prices([_but((), blocks), *alone, *both])
        floats = [price - none for price in rest[:blocks]]
        pairs = [
            # What does not fit alone has an infinite term already.
            price - none - sum(terms) if math.isfinite(sum(terms)) else 0.0
            for price, terms in zip(rest[blocks:], pairwise(floats), strict=True)
        ]
        return cls(none, tuple(floats), tuple(pairs))

    def of(self, assignment: Assignment) -> float:
        """The sum of one assignment."""
        alone = sum(term for term, integer in zip(self.floats, assignment, strict=True) if not integer)
        beside = zip(self.pairs, pairwise(assignment), strict=True)
        return self.integers + alone + sum(term for term, (one, other) in beside if not one and not other)


def front(losses: Sequence[float], cost: ChainCost) -> tuple[Assignment, ...]:
    """The assignments of which none is both faster and loses less, by rising loss: exact.

    Dynamic programming along the chain: of all beginnings that end alike, in integers or in floats, only those go on of
    which none is both faster and loses less, because what comes after costs both the same (Nemhauser and Ullmann 1969).

    Args:
        losses: What each block loses in integers, at least 0, (K,); in floats it loses nothing.
        cost: Their times.
    """
    in_integers, in_floats = (
        [_Beginning(losses[0], cost.integers, (True,))],
        [_Beginning(0.0, cost.integers + cost.floats[0], (False,))],
    )
    for loss, alone, pair in zip(losses[1:], cost.floats[1:], cost.pairs, strict=True):
        either = [*in_integers, *in_floats]
        in_integers, in_floats = (
            _undominated(each.then(True, loss, 0.0) for each in either),
            _undominated(each.then(False, 0.0, alone + (0.0 if each.ends_in_integers else pair)) for each in either),
        )
    return tuple(each.assignment for each in _undominated([*in_integers, *in_floats]))


def least_loss(losses: Sequence[float], prices: Prices, limit: float) -> Assignment | None:
    """The assignment that loses least of those that take at most so long; None where all take longer.

    Exact where prices are sums over blocks and pairs of neighbours. Where a correction of the whole network makes them
    others, candidates are those of the sums, and each is held to its own price: none over the limit is returned, and
    integers everywhere are where they keep it and nothing else does.

    Args:
        losses: What each block loses in integers, (K,).
        prices: Of assignments.
        limit: Milliseconds.
    """
    found = [*front(losses, ChainCost.of_prices(prices, len(losses))), _but((), len(losses))]
    return next((each for each, ms in zip(found, prices(found), strict=True) if ms <= limit), None)


def fastest(losses: Sequence[float], prices: Prices, bound: float = math.inf) -> Assignment:
    """The fastest assignment of those that lose at most so much in all; exact as :func:`least_loss`.

    Args:
        losses: What each block loses in integers, (K,).
        prices: Of assignments.
        bound: Of the sum of their losses, at least 0.
    """
    found = [each for each in front(losses, ChainCost.of_prices(prices, len(losses))) if lost(losses, each) <= bound]
    return min(zip(prices(found), found, strict=True))[1]


def lost(losses: Sequence[float], assignment: Assignment) -> float:
    """What an assignment is predicted to lose: the sum over its blocks in integers."""
    return sum(loss for loss, integer in zip(losses, assignment, strict=True) if integer)


class _Beginning(NamedTuple):
    """The first blocks of a chain."""

    loss: float
    ms: float
    assignment: Assignment

    @property
    def ends_in_integers(self) -> bool:
        return self.assignment[-1]

    def then(self, integer: bool, loss: float, ms: float) -> _Beginning:
        return _Beginning(self.loss + loss, self.ms + ms, (*self.assignment, integer))


def _undominated(beginnings: Iterable[_Beginning]) -> list[_Beginning]:
    """Those of which none is both faster and loses less, by rising loss."""
    kept: list[_Beginning] = []
    for each in sorted(beginnings, key=lambda each: each[:2]):
        if math.isfinite(each.ms) and (not kept or each.ms < kept[-1].ms):
            kept.append(each)
    return kept


def _but(floats: Iterable[int], blocks: int) -> Assignment:
    """All in integers but these."""
    gone = set(floats)
    return tuple(at not in gone for at in range(blocks))
