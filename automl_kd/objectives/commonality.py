"""What some candidates have in common, beyond what chance would give as many drawn from all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb

import numpy as np
from numpy.typing import NDArray

Outcomes = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Commonality:
    """How often one value of a hole occurs among those chosen, and among all.

    Attributes:
        hole: Its name.
        value: One of its values.
        chosen: Chosen candidates with this value.
        of_chosen: Chosen candidates that have the hole.
        count: All candidates with this value.
        of_count: All candidates that have the hole.
        p: The chance that any pair of hole and value stands out as much as this one, were the chosen drawn blindly.
    """

    hole: str
    value: str
    chosen: int
    of_chosen: int
    count: int
    of_count: int
    p: float


def commonalities(candidates: Sequence[Mapping[str, str]], chosen: Collection[int]) -> list[Commonality]:
    """Every pair of hole and value that occurs, the one that stands out most first.

    A pair is judged among the candidates that have the hole, so that a value within a branch is no finding because the
    branch is one. How many of the chosen have it is then hypergeometric (Fisher's exact test, one-sided).

    Hundreds of pairs are looked at, so chances are corrected in Holm's steps. His sum takes the same p from every pair;
    this one takes the chance that the pair's own p falls so low, which with small counts is far less, and 0 for a value
    too frequent ever to stand out (Westfall & Wolfinger 1997, "Multiple tests with discrete distributions"). Like
    Holm's it holds however pairs depend on each other; unlike Holm's it finds something in a front of five.

    Args:
        candidates: Values by hole, each candidate with the holes that it has.
        chosen: Positions of those that are compared with all.
    """
    taken = set(chosen)
    having = Counter(hole for candidate in candidates for hole in candidate)
    ours = Counter(hole for index in taken for hole in candidates[index])
    counts = Counter(pair for candidate in candidates for pair in candidate.items())
    hits = Counter(pair for index in taken for pair in candidates[index].items())
    raw = {
        (hole, value): _tails(having[hole], count, ours[hole])[hits[hole, value]]
        for (hole, value), count in counts.items()
    }
    pairs = sorted(raw, key=lambda pair: (raw[pair], pair))
    kinds = [(having[pair[0]], counts[pair]) for pair in pairs]
    outcomes = {kind: _outcomes(*kind, len(candidates), len(taken)) for kind in set(kinds)}
    corrected = _stepped([raw[pair] for pair in pairs], [outcomes[kind] for kind in kinds])
    return [
        Commonality(
            hole,
            value,
            chosen=hits[hole, value],
            of_chosen=ours[hole],
            count=counts[hole, value],
            of_count=having[hole],
            p=p,
        )
        for (hole, value), p in zip(pairs, corrected, strict=True)
    ]


def _weights(total: int, marked: int, drawn: int) -> list[int]:
    """In how many ways that many drawn of a total hold 0, 1, ... of those marked; integers, so that ties stay ties."""
    return [comb(marked, hits) * comb(total - marked, drawn - hits) for hits in range(min(marked, drawn) + 1)]


def _tails(total: int, marked: int, drawn: int) -> list[float]:
    """The chance of at least 0, 1, ... marked among those drawn."""
    ways = comb(total, drawn)
    return [above / ways for above in accumulate(reversed(_weights(total, marked, drawn)))][::-1]


def _outcomes(having: int, count: int, total: int, drawn: int) -> Outcomes:
    """What a pair's p can be, ascending, and the chance of one at most so high.

    How many of the chosen have the hole is left to chance, too: it hangs on the value of the hole above.
    """
    ways = comb(total, drawn)
    found = []
    for own, weight in enumerate(_weights(total, having, drawn)):
        if weight:
            share = weight / ways / comb(having, own)
            found += [
                (tail, share * each)
                for tail, each in zip(_tails(having, count, own), _weights(having, count, own), strict=True)
            ]
    found.sort()
    return np.array([tail for tail, _ in found]), np.cumsum([chance for _, chance in found])


def _stepped(raw: Sequence[float], outcomes: Sequence[Outcomes]) -> list[float]:
    """Holm's steps over ascending chances."""
    corrected, highest = [1.0] * len(raw), 0.0
    for step, bound in enumerate(raw):
        places = [(int(np.searchsorted(tails, bound, side="right")), chances) for tails, chances in outcomes[step:]]
        highest = max(highest, sum(float(chances[place - 1]) for place, chances in places if place))
        if highest >= 1:
            break
        corrected[step] = highest
    return corrected
