"""How far off a target's predicted latencies are, and on how many measured networks that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from automl_kd.hardware.fit_section import ReferenceNetwork
from automl_kd.hardware.kernels.graph import Kind

_NOTEWORTHY = 0.05
"""Share of a network's time from which on its measurement says something of a kind of kernel."""

Basis = Literal["networks", "datasheet", "first use"]


@dataclass(frozen=True, slots=True)
class NetworkCounts:
    """How many networks were measured, by where they are from.

    Attributes:
        published: Models that others measured.
        cells: Cells of NAS-Bench-201 that others measured.
        own: Networks that the user of the profile measured.
    """

    published: int = 0
    cells: int = 0
    own: int = 0

    @staticmethod
    def of(references: Sequence[ReferenceNetwork]) -> NetworkCounts:
        """Numbers of the measured networks of a fit."""
        cells = sum(reference.model.startswith("nas-bench-201") for reference in references)
        own = sum(reference.source.startswith("measured") for reference in references)
        return NetworkCounts(len(references) - cells - own, cells, own)


@dataclass(frozen=True, slots=True)
class LatencyError:
    """How far off a target's predicted latencies are, and on what networks.

    Attributes:
        basis: ``networks``: some were measured. ``datasheet``: none was, so that prices only rank. ``first use``: the
            target is on this machine, which measures itself at its first price.
        median_error: Median of ``|predicted / measured - 1|`` over networks left out one at a time.
        family_error: The same where all networks of a family are left out together.
        interval: Factor by which nine in ten networks like those measured are off at most, either way; an assumption
            where none was measured.
        networks: How many were measured.
        kinds: Kinds of kernel in which a measured network spends a noteworthy share of its time, in the order of
            :class:`Kind`.
    """

    basis: Basis
    median_error: float | None
    family_error: float | None
    interval: float | None
    networks: NetworkCounts
    kinds: tuple[Kind, ...]

    def document(self) -> dict[str, Any]:
        """The entry of JSON documents; ``accuracy`` is the key that version 0.1 had for it."""
        return {"latency_error": asdict(self), "accuracy": asdict(self)}


def holders(references: Sequence[ReferenceNetwork], kind: Kind) -> int:
    """How many networks spend a noteworthy share of their time in a kind."""
    return sum(reference.shares.get(kind, 0.0) >= _NOTEWORTHY for reference in references)


def median_error(errors: Sequence[float]) -> float:
    """Median of ``|predicted / measured - 1|`` from ``log(measured / predicted)``."""
    return float(np.median(np.abs(np.expm1(-np.array(errors)))))
