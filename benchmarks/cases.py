"""Every measured network as the kernels of the target that it was measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from nas_bench_201 import COLUMNS, cells
from published_latencies import Key, Measured, published
from published_qualcomm import published_qualcomm
from torch import nn

from automl_kd.hardware import Network, Profile, load_profile
from automl_kd.hardware.kernels.graph import Graph, Kind
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.predictor.cost import KINDS
from automl_kd.hardware.predictor.timed import TimedKernels
from automl_kd.hardware.references import timed_kernels

CELLS = 20
"""NAS-Bench-201 cells that anchor the small end where the table has a column for the target."""


@dataclass(frozen=True)
class Case:
    """A measured network as a target's kernels.

    Attributes:
        timed: Its kernels and its time, as a fit takes them.
        shares: Of its time by kind, as the datasheet says: what is left out together is the same for every predictor.
    """

    measured: Measured
    network: Network
    timed: TimedKernels
    shares: Mapping[Kind, float]


def all_cases(data: Path) -> dict[Key, list[Case]]:
    """All tables: published networks, neural processors of Qualcomm, and cells spread over NAS-Bench-201.

    Args:
        data: Their folder.
    """
    measured = {key: list(rows) for key, rows in published(data).items()}
    for key, rows in published_qualcomm(data).items():
        measured.setdefault(key, []).extend(rows)
    for key, column in COLUMNS.items():
        # The table's order is random, so that no property of a cell decides.
        chosen = cells(data, column, lambda count: np.linspace(0, count - 1, CELLS).astype(int))
        measured.setdefault(key, []).extend(chosen)
    return cases_of(measured)


def cases_of(measured: Mapping[Key, Sequence[Measured]]) -> dict[Key, list[Case]]:
    """Networks as kernels; what several targets measured is traced once."""
    graphs: dict[nn.Module, Graph] = {}
    found: dict[Key, list[Case]] = {}
    for key, rows in measured.items():
        for each in rows:
            if each.module not in graphs:
                graphs[each.module] = trace(each.module, each.shape)
            found.setdefault(key, []).append(_case(profile_of(key), graphs[each.module], each))
    return found


@cache
def profile_of(key: Key) -> Profile:
    """The profile of a target."""
    return load_profile(":".join(key))


def _case(profile: Profile, graph: Graph, measured: Measured) -> Case:
    network = profile.lower(graph)
    timed = timed_kernels(profile.target, profile.limits, network, measured.ms)
    seconds = timed.features.seconds_by_kind(profile.target.prior)
    shares = dict(zip(KINDS, (seconds / seconds.sum()).tolist(), strict=True))
    return Case(measured, network, timed, shares)
