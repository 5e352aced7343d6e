"""Successive halving over any objectives: who goes on, who waits, who can no longer win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl_kd.objectives import Objective, Point, non_dominated_ranks, ranking

REDUCTION = 3
"""One in three goes on (asynchronous successive halving, Li et al. 2020, arXiv:1810.05934)."""


LEAST_EXAMPLES = 3000
"""A candidate that saw fewer examples tells nothing: its batch-norm statistics still hold their initial values."""


def rung_epochs(search_epochs: int, examples: int = LEAST_EXAMPLES, reduction: int = REDUCTION) -> tuple[int, ...]:
    """The epochs at which candidates are compared: ``search_epochs`` and its thirds, as long as they tell something.

    >>> rung_epochs(12)
    (1, 4, 12)
    >>> rung_epochs(12, examples=1000)
    (4, 12)

    Args:
        search_epochs: Length of the longest search run.
        examples: Size of the training split.
        reduction: By how much a rung is shorter than the next; one in so many goes on.
    """
    epochs = [search_epochs]
    while (shorter := epochs[0] // reduction) * examples >= LEAST_EXAMPLES:
        epochs.insert(0, shorter)
    return tuple(epochs)


@dataclass(frozen=True)
class RungRecord:
    """Where a candidate stands.

    Attributes:
        trial: Its number.
        known: Its prices, one a known objective.
        scores: Scores by rung, for the rungs that it has reached (0 is the lowest).
        waiting: Paused at its highest rung; false while it trains or when it has ended.
    """

    trial: int
    known: tuple[float, ...]
    scores: Mapping[int, float]
    waiting: bool

    @property
    def rung(self) -> int:
        """The highest rung reached, -1 before the first."""
        return max(self.scores, default=-1)


def promotions(
    records: Sequence[RungRecord],
    rungs: int,
    objectives: Sequence[Objective],
    *,
    reduction: int = REDUCTION,
    worth: Mapping[int, float] | None = None,
    drain: bool = False,
) -> list[int]:
    """The trials that may go on now, the one most worth it first; empty where a new candidate is worth more.

    Of the candidates that reached a rung one in ``reduction`` may go on, at any time (asynchronously): those that are
    expected to add most to the final front where ``worth`` says so, else the best by non-dominated rank and then by how
    alone they stand. The highest rung comes first, so that the front fills early.

    Args:
        records: All candidates that were not screened or failed.
        rungs: Number of rungs.
        objectives: The score, then the known ones.
        reduction: One in so many goes on.
        worth: By trial, what finishing it is expected to add to the final front.
        drain: Little time is left: any that waits may be finished, whatever its share.
    """
    going: list[int] = []
    for rung in reversed(range(rungs - 1)):
        arrived = [each for each in records if rung in each.scores]
        places = len(arrived) if drain else len(arrived) // reduction
        if worth is None:
            order = ranking(_points(arrived, rung), objectives)[:places]
            going += [arrived[index].trial for index in order if _waits_at(arrived[index], rung)]
        else:
            waiting = [each.trial for each in arrived if _waits_at(each, rung)]
            gone = sum(each.rung > rung or not each.waiting for each in arrived)
            going += sorted(waiting, key=lambda trial: -worth.get(trial, 0.0))[: max(0, places - gone)]
    return going


def hopeless(
    records: Sequence[RungRecord],
    rungs: int,
    objectives: Sequence[Objective],
    expected: int,
    reduction: int = REDUCTION,
) -> list[int]:
    """Waiting trials that can no longer be promoted, however the trials still to come turn out.

    A rank never falls as candidates arrive, so a trial is out once as many stand strictly before it as its rung
    will ever let through.

    Args:
        records: All candidates that were not screened or failed.
        rungs: Number of rungs.
        objectives: The score, then the known ones.
        expected: The most candidates that the budget can still bring to the lowest rung, in total.
        reduction: One in so many goes on.
    """
    out: list[int] = []
    for rung in range(rungs - 1):
        arrived = [each for each in records if rung in each.scores]
        places = max(1, max(expected, len(arrived)) // reduction ** (rung + 1))
        ranks = non_dominated_ranks(_points(arrived, rung), objectives)
        for each, rank in zip(arrived, ranks, strict=True):
            ahead = sum(other < rank for other in ranks)
            if _waits_at(each, rung) and ahead >= places:
                out.append(each.trial)
    return out


def _waits_at(record: RungRecord, rung: int) -> bool:
    return record.waiting and record.rung == rung


def _points(records: Sequence[RungRecord], rung: int) -> list[Point]:
    return [Point(each.trial, (each.scores[rung], *each.known)) for each in records]
