r"""Exact and expected hypervolume improvement; all objectives are minimised here.

Where one objective :math:`y` is modelled and the others are known exactly, the expectation has a closed form. Let
:math:`V(t)` be the volume, in the known objectives, that the candidate dominates and no member of the front with a
modelled value of at most :math:`t` dominates. It is a step function that falls with :math:`t`. Then

.. math:: \mathrm{EHVI} = \int_{-\infty}^{r} V(t) \, P(y \le t) \, dt
          = \sum_k V_k \, \big(E[(f_{k+1} - y)_+] - E[(f_k - y)_+]\big),

with :math:`f_k` the front's sorted modelled values, and :math:`E[(a - y)_+]` as the model gives it (``warp``).
Where several objectives are modelled, the expectation is the mean of exact improvements over quasi-random draws
(Emmerich, Deutz & Klinkenberg 2011; Daulton, Balandat & Bakshy 2020, arXiv:2006.05078).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def expected_improvement(shortfall: Callable[[Array], Array], known: Array, front: Array, reference: Array) -> Array:
    """Expected improvement with one modelled objective, shape (m,).

    Args:
        shortfall: Gives E[(level - y)_+] of the candidates' modelled objective at levels, shape (m, levels).
        known: The other objectives of the candidates, shape (m, 0 to 2).
        front: Members of the front, modelled objective first, shape (k, 1 + known).
        reference: Worst values that count, shape (1 + known,).
    """
    inside = front[(front < reference).all(axis=1)]
    inside = inside[np.argsort(inside[:, 0], kind="stable")]
    levels = np.concatenate([inside[:, 0], reference[:1]])
    volumes = np.stack(
        [added_volume(known, inside[:count, 1:], reference[1:]) for count in range(len(levels))], axis=1
    )  # V between level count - 1 and level count, where `count` members cover a part
    reached = shortfall(levels)
    steps = np.diff(reached, axis=1, prepend=0.0)
    return np.asarray((volumes * steps).sum(axis=1))


def added_volume(points: Array, front: Array, reference: Array) -> Array:
    """Volume that each point dominates alone, up to the reference, shape (m,).

    Args:
        points: Shape (m, 0 to 3); more take long.
        front: Shape (k, same), within the reference.
        reference: Shape (same,).
    """
    if not points.shape[1]:
        return np.full(len(points), float(not len(front)))
    room = np.maximum(reference - points, 0.0)
    if points.shape[1] == 1:
        best = front[:, 0].min(initial=reference[0])
        return np.asarray(np.maximum(np.minimum(best, reference[0]) - points[:, 0], 0.0))
    if not len(front):
        return np.asarray(room.prod(axis=1))
    # Slabs along the last objective. In each, the members below it cover a part, in one dimension less.
    order = np.argsort(front[:, -1], kind="stable")
    front = front[order]
    edges = np.concatenate([front[:, -1], reference[-1:]])
    total = _width(points[:, -1], -np.inf, edges[0]) * room[:, :-1].prod(axis=1)
    for count in range(1, len(edges)):
        width = _width(points[:, -1], edges[count - 1], edges[count])
        if width.any():
            total = total + width * added_volume(points[:, :-1], front[:count, :-1], reference[:-1])
    return np.asarray(total)


def open_samples(front: Array, ideal: Array, reference: Array, count: int) -> tuple[Array, float]:
    """Quasi-random points between two corners that no member of a front dominates, and the volume for each of them.

    Args:
        front: Shape (k, n).
        ideal: The corner that is best in all objectives, shape (n,).
        reference: The corner that is worst.
        count: Points to draw before those that are dominated are left out.
    """
    from scipy.stats import qmc  # here, because the import takes a second and few studies have many objectives

    draws = ideal + (reference - ideal) * qmc.Sobol(len(ideal), seed=0).random(count)
    free = np.ones(count, dtype=bool)
    for member in front:
        free &= (draws < member).any(axis=1)
    return draws[free], float(np.prod(reference - ideal)) / count


def _width(starts: Array, low: float, high: float) -> Array:
    return np.asarray(np.maximum(high - np.maximum(starts, low), 0.0))
