"""Which rows of a target are left out together, to be predicted by what the other rows teach."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cases import Case

from automl_kd.hardware.kernels.graph import Kind

NOTEWORTHY = 0.1
"""Share of a network's time from which on a kind of kernel decides what it costs."""
LEAST_KEPT = 3
"""Rows that have to stay, or nothing of the target itself is known and its rows are not asked for."""


@dataclass(frozen=True)
class Group:
    """Rows that are left out together.

    Attributes:
        rows: Positions among the target's rows.
    """

    name: str
    rows: frozenset[int]


Scheme = Callable[[Sequence[Case]], list[Group]]


def one_by_one(cases: Sequence[Case]) -> list[Group]:
    """Every network alone, with all rows that are about it."""
    return _enough(cases, _together(cases, lambda case: case.measured.model))


def by_family(cases: Sequence[Case]) -> list[Group]:
    """All rows of a family; other targets keep theirs."""
    return _enough(cases, _together(cases, lambda case: case.measured.family))


def by_kind(cases: Sequence[Case]) -> list[Group]:
    """All rows that spend a noteworthy share of their time in a kind of kernel; a row may be in several groups."""
    groups = [
        Group(kind, frozenset(index for index, case in enumerate(cases) if case.shares[kind] >= NOTEWORTHY))
        for kind in Kind
    ]
    return _enough(cases, groups)


def by_size(cases: Sequence[Case]) -> list[Group]:
    """The third of the rows with the fewest operations, and the third with the most."""
    order = sorted(range(len(cases)), key=lambda index: cases[index].network.flops)
    third = len(cases) // 3
    return _enough(
        cases,
        [
            Group("smallest third", frozenset(order[:third])),
            Group("largest third", frozenset(order[len(order) - third :])),
        ],
    )


def efficientvit_by_size(cases: Sequence[Case]) -> list[Group]:
    """EfficientViT alone: every row, every variant, every resolution; a row may be in several groups."""
    found = [index for index, case in enumerate(cases) if _variant(case)]
    groups = {
        frozenset({index}): Group(f"{_variant(cases[index])} at {cases[index].measured.shape[-1]}", frozenset({index}))
        for index in found
    }
    for name in (_variant, lambda case: f"EfficientViT at {case.measured.shape[-1]}" if _variant(case) else ""):
        groups = {group.rows: group for group in _together(cases, name) if group.name} | groups
    return _enough(cases, list(groups.values()))


SCHEMES: dict[str, Scheme] = {
    "one by one": one_by_one,
    "by family": by_family,
    "by kind of kernel": by_kind,
    "by size": by_size,
    "EfficientViT by size": efficientvit_by_size,
}


def _variant(case: Case) -> str:
    """As ``B1``; empty of other networks."""
    found = re.search(r"efficientvit[-_ ]?(b\d)", case.measured.model, re.IGNORECASE)
    return f"EfficientViT {found[1].upper()}" if found else ""


def _together(cases: Sequence[Case], name: Callable[[Case], str]) -> list[Group]:
    """Rows that share a name, in the order of names."""
    names = [name(case) for case in cases]
    return [
        Group(each, frozenset(index for index, own in enumerate(names) if own == each)) for each in sorted(set(names))
    ]


def _enough(cases: Sequence[Case], groups: Sequence[Group]) -> list[Group]:
    """Groups that hold rows and leave some."""
    return [group for group in groups if group.rows and len(cases) - len(group.rows) >= LEAST_KEPT]
