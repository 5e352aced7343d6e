"""What a target's prices rest on: the networks that were measured, and how far off it was on those left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.schema import Anchor

_NOTEWORTHY = 0.05
"""Share of its time from which on a measured network tells of a kind of kernel."""

Basis = Literal["networks", "datasheet", "first use"]


@dataclass(frozen=True, slots=True)
class MeasuredNetworks:
    """How many networks were measured, by where they are from.

    Attributes:
        published: Models by others.
        cells: Of NAS-Bench-201, by others.
        own: By the user of the profile.
    """

    published: int = 0
    cells: int = 0
    own: int = 0

    @staticmethod
    def of(anchors: Sequence[Anchor]) -> MeasuredNetworks:
        """Those of a fit."""
        cells = sum(anchor.model.startswith("nas-bench-201") for anchor in anchors)
        own = sum(anchor.source.startswith("measured") for anchor in anchors)
        return MeasuredNetworks(len(anchors) - cells - own, cells, own)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far off a target's predictions are, and on what.

    Attributes:
        basis: ``networks``: some were measured; ``datasheet``: none, so that prices only rank; ``first use``: the
            machine that this runs on, which measures itself at its first price.
        median_error: Of ``|predicted / measured - 1|`` over networks left out one at a time.
        family_error: The same where all networks of a family are left out together.
        interval: Factor by which a network like those measured is off at most in nine of ten cases, either way; an
            assumption without any.
        networks: How many were measured.
        kinds: Of kernels in which one of those spends a noteworthy share of its time, in the order of :class:`Kind`.
    """

    basis: Basis
    median_error: float | None
    family_error: float | None
    interval: float | None
    networks: MeasuredNetworks
    kinds: tuple[Kind, ...]


def holders(anchors: Sequence[Anchor], kind: Kind) -> int:
    """How many networks spend a noteworthy share of their time in a kind."""
    return sum(anchor.shares.get(kind, 0.0) >= _NOTEWORTHY for anchor in anchors)


def median_error(errors: Sequence[float]) -> float:
    """Median of ``|predicted / measured - 1|`` from ``log(measured / predicted)``."""
    return float(np.median(np.abs(np.expm1(-np.array(errors)))))
