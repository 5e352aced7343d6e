"""Disjoint splits that tear no group apart: all pictures of one patient are in one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError
from automl_kd.tasks.splits import Indices, wanted_counts

_REST = ""


def stratify_groups(
    strata: Indices,
    groups: Indices,
    sizes: Mapping[str, float | None],
    seed: int,
    names: Sequence[str],
    noun: str = "image",
) -> dict[str, Indices]:
    """Disjoint sets of indices, each of whole groups, with the strata as nearly in their proportions as groups allow.

    The largest groups are given first, each to the split that it brings nearest to its share of every stratum.

    Args:
        strata: Of every example (N,), from 0, for example its class.
        groups: Of every example (N,), from 0.
        sizes: Size by split, near which it comes; None takes what is left.
        seed: Decides which of equal groups go where.
        names: Of the strata, each of which must be in every split; empty where one may lack a stratum.
        noun: What an example is called in errors.

    Returns:
        Ascending indices by split.

    Raises:
        UserError: If the groups do not suffice.
    """
    counts = wanted_counts(sizes, len(strata), noun)
    members = np.zeros((int(groups.max(initial=0)) + 1, max(len(names), int(strata.max(initial=0)) + 1)))
    np.add.at(members, (groups, strata), 1)
    rest = len(strata) - sum(counts.values())
    wanted = counts | ({_REST: rest} if rest else {})
    places = _placed(members, np.array(list(wanted.values())), seed)
    drawn = {split: np.flatnonzero(places[groups] == place) for place, split in enumerate(wanted)}
    for split in counts:
        _check(split, strata[drawn[split]], names, len(members), noun)
    return {split: drawn[split] for split in counts}


def _placed(members: NDArray[np.float64], sizes: NDArray[np.int64], seed: int) -> Indices:
    """The number of the split of every group."""
    shares = sizes[:, None] * (members.sum(axis=0) / members.sum())
    given = np.zeros_like(shares)
    places = np.zeros(len(members), np.int64)
    # RandomState's stream is frozen by NumPy's policy.
    order = np.random.RandomState(seed).permutation(len(members))
    for group in order[np.argsort(-members[order].sum(axis=1), kind="stable")]:
        after = given + members[group]
        worse = (np.square(after - shares) - np.square(given - shares)) / np.maximum(shares, 1e-9)
        places[group] = np.argmin(worse[:, members[group] > 0].sum(axis=1))
        given[places[group]] += members[group]
    return places


def _check(split: str, strata: Indices, names: Sequence[str], groups: int, noun: str) -> None:
    if not len(strata):
        raise UserError(
            f"splits.{split}: the {groups} groups are too few or too large for one in the {split} split: they need to"
            " be smaller, or to be given splits by a column data.split"
        )
    missing = [name for number, name in enumerate(names) if number not in strata]
    if missing:
        raise UserError(
            f"class {missing[0]!r} has too few groups for one in the {split} split: its {noun}s need more groups, or"
            f" splits.{split} a larger share"
        )
