"""The choice of networks to measure: those that together say most about a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from automl_kd.core import Input
from automl_kd.hardware.plan import Plan
from automl_kd.hardware.predictor.cost import Floats

if TYPE_CHECKING:
    from automl_kd.hardware.profile import Profile

_NOISE = 0.05  # relative error of one measurement and of the model
_SPREAD_OF_KINDS = 0.5  # how far the time of a kind may be off before anything is measured, in natural logarithms
_SPREAD_OF_SIZES = 0.15  # the same of an error that networks of one size share
_SIZES = 8


@dataclass(frozen=True)
class Candidate:
    """A network that may be measured.

    Attributes:
        name: Unique among the candidates, fit for a file's name.
        plan: What it is made of.
        origin: What it was made from, as plain data.
    """

    name: str
    plan: Plan
    origin: Mapping[str, Any]

    @property
    def input(self) -> Input:
        """What it takes."""
        return self.plan.blocks[0].input

    def build(self) -> nn.Module:
        """The network, its weights a function of its name."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(self.name.encode(), "big") % 2**63)
            return nn.Sequential(*(block.build() for block in self.plan.blocks)).eval()


class Design:
    """Candidates as a device sees them, and the order in which to measure them.

    To first order a fit explains the logarithm of a latency by the share of each kind of kernel: where kind k is off by
    d_k, a network with the shares x is off by x · d. So networks are chosen whose shares make the determinant of the
    information about d large (Bayesian D-optimal design, Chaloner & Verdinelli 1995), one after another. Errors that
    networks of one size share are unknowns as well, so that the choice spreads over latencies.

    Args:
        seconds: Predicted seconds of every candidate by kind, and its intercept last, (N, K + 1).
    """

    def __init__(self, seconds: Floats) -> None:
        self.seconds: Floats = seconds.sum(axis=1)
        """Predicted, (N,)."""
        self._rows = _unknowns(seconds / self.seconds[:, None], np.log(self.seconds))

    @staticmethod
    def of(profile: Profile, candidates: Sequence[Candidate]) -> Design:
        """The design of candidates as a profile sees them so far."""
        by_kind = profile.seconds_by_kind([candidate.plan for candidate in candidates])
        intercepts = np.full((len(candidates), 1), profile.coefficients.intercept)
        return Design(np.hstack([by_kind, intercepts]))

    def choose(self, count: int, measured: Sequence[int] = (), among: Sequence[int] | None = None) -> list[int]:
        """The candidates to measure next, the most informative first.

        Args:
            count: At most how many.
            measured: Candidates that are known already; they are not chosen again.
            among: Candidates to choose from, by default all.
        """
        rows = self._rows
        covariance = np.eye(rows.shape[1])
        for index in measured:
            covariance = _updated(covariance, rows[index])
        allowed = np.zeros(len(rows), dtype=bool)
        allowed[list(range(len(rows)) if among is None else among)] = True
        allowed[list(measured)] = False
        chosen: list[int] = []
        for _ in range(min(count, int(allowed.sum()))):
            gain = np.einsum("ij,jk,ik->i", rows, covariance, rows)  # the determinant grows by the factor 1 + gain
            best = int(np.argmax(np.where(allowed, gain, -1.0)))
            allowed[best] = False
            chosen.append(best)
            covariance = _updated(covariance, rows[best])
        return chosen


def _unknowns(shares: Floats, logarithms: Floats) -> Floats:
    """Rows in units of noise over unknowns in units of their prior spread, (N, kinds + 1 + sizes)."""
    low, high = float(logarithms.min()), float(logarithms.max())
    width = max(high - low, 1e-9) / _SIZES
    size = np.minimum((logarithms - low) / width, _SIZES - 1).astype(np.intp)
    rows: Floats = np.hstack([_SPREAD_OF_KINDS * shares, _SPREAD_OF_SIZES * np.eye(_SIZES)[size]]) / _NOISE
    return rows


def _updated(covariance: Floats, row: Floats) -> Floats:
    """The covariance of the unknowns after one more measurement (Sherman & Morrison 1950)."""
    moved = covariance @ row
    updated: Floats = covariance - np.outer(moved, moved) / (1.0 + float(row @ moved))
    return updated
