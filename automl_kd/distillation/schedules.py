"""Schedules: pure functions of the progress of a run, which is 0 at its first step and nears 1 at its end.

Progress is a share of the whole schedule, not of the part up to which a run is trained, so that a run which is stopped
early is a prefix of the full one.
"""

from __future__ import annotations

import bisect
import math

from automl_kd.recipes import Curriculum, HandOver, Loss, Schedule, Train


def number(spec: float | Schedule, progress: float) -> float:
    """The value of a number, which may follow a schedule, at ``progress`` in [0, 1]."""
    if not isinstance(spec, Schedule):
        return spec
    if spec.at is not None:
        return spec.start + (spec.end - spec.start) * bisect.bisect_right(spec.at, progress) / len(spec.at)
    if spec.schedule == "exponential":
        return float(spec.start * (spec.end / spec.start) ** progress)
    return _between(spec.schedule, spec.start, spec.end, progress)


def weight(loss: Loss, progress: float) -> float:
    """The weight of a loss at ``progress`` in [0, 1]: 0 before the fraction ``after`` and from ``until`` on."""
    if loss.after is not None and progress < loss.after:
        return 0.0
    if loss.until is not None and loss.until < 1 and progress >= loss.until:
        return 0.0
    return number(loss.weight, progress)


def handed_over(handover: HandOver, progress: float) -> float:
    """The share in [0, 1] that has moved from source to target: 0 up to ``start``, 1 from ``end`` on.

    The source's weight is multiplied by 1 - share, the target's by share.
    """
    inside = (progress - handover.start) / (handover.end - handover.start)
    return _between(handover.schedule, 0.0, 1.0, min(max(inside, 0.0), 1.0))


def share_of_batch(curriculum: Curriculum, progress: float) -> float:
    """The share in (0, 1] of a batch, its easiest samples, whose logits are compared at ``progress`` in [0, 1]."""
    return _between("linear", curriculum.start, 1.0, min(1.0, progress / curriculum.until))


def learning_rate(train: Train, progress: float) -> float:
    """The learning rate at ``progress`` in [0, 1]: linear from 0 over ``warmup``, then half a cosine down to 0.

    The annealing is that of SGDR without restarts (Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    if progress < train.warmup:
        return train.optimizer.lr * progress / train.warmup
    return _between("cosine", train.optimizer.lr, 0.0, (progress - train.warmup) / (1 - train.warmup))


def held(train: Train, progress: float) -> bool:
    """Whether the trunk of the student is held at ``progress`` in [0, 1): before the fraction ``freeze``."""
    return train.freeze is not None and progress < train.freeze


def _between(kind: str, start: float, end: float, progress: float) -> float:
    if kind == "constant":
        return start
    moved = progress if kind == "linear" else (1 - math.cos(math.pi * progress)) / 2
    return start + (end - start) * moved
