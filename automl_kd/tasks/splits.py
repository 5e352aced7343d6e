"""Three disjoint splits in which every class, or group of alike examples, keeps its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from automl_kd.core import UserError
from automl_kd.recipes import Part

Indices = NDArray[np.int64]


def _share_or_count(value: float) -> float:
    if value >= 1 and value != int(value):
        raise ValueError(f"{value:g} is neither a share below 1 nor a whole number of examples")
    return value


Size = Annotated[float, Field(gt=0, strict=True), AfterValidator(_share_or_count)]
"""A share of the examples (below 1) or their number."""


class Splits(Part):
    """Sizes of the splits and the seed that draws them.

    ``test`` is only for data without a test set of their own. Of ``train`` and ``test``, the one left out takes what
    the others leave; with both left out, test is a fifth.
    """

    train: Size | None = None
    validation: Size = 0.15
    test: Size | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def stratify(
    groups: Indices, sizes: Mapping[str, float | None], seed: int, names: Sequence[str], noun: str = "image"
) -> dict[str, Indices]:
    """Disjoint sets of indices, each with the groups in the proportions of the whole (largest remainders).

    Args:
        groups: The group of every example (N,), from 0, for example its class.
        sizes: Size by split; None takes what is left and comes last.
        seed: Decides which examples go where.
        names: Of the groups, each of which must be in every split; empty where one may lack a group.
        noun: What an example is called in errors.

    Returns:
        Ascending indices by split.

    Raises:
        UserError: If the examples do not suffice, or a named group is too small to be in every split.
    """
    # RandomState's stream is frozen by NumPy's policy; that of Generator may change between versions.
    order = np.random.RandomState(seed).permutation(len(groups))
    left = [order[groups[order] == group] for group in range(len(names) or int(groups.max(initial=0)) + 1)]
    drawn: dict[str, Indices] = {}
    for split, count in wanted_counts(sizes, len(groups), noun).items():
        counts = _apportion(np.array([len(members) for members in left]), count)
        for number, name in enumerate(names):
            if counts[number] == 0:
                total = int((groups == number).sum())
                raise UserError(
                    f"class {name!r} has {total} {noun}s, too few for one in the {split} split of {count}:"
                    f" it needs more {noun}s, or splits.{split} a larger share"
                )
        assert all(taken <= len(members) for members, taken in zip(left, counts, strict=True))
        drawn[split] = np.sort(np.concatenate([members[:taken] for members, taken in zip(left, counts, strict=True)]))
        left = [members[taken:] for members, taken in zip(left, counts, strict=True)]
    return drawn


def wanted_counts(sizes: Mapping[str, float | None], total: int, noun: str) -> dict[str, int]:
    """How many of all examples each split is to have.

    Args:
        sizes: Size by split; None takes what is left and comes last.
        total: Of all examples.
        noun: What an example is called in errors.

    Raises:
        UserError: If the examples do not suffice.
    """
    counts: dict[str, int] = {}
    for split, size in sizes.items():
        available = total - sum(counts.values())
        counts[split] = available if size is None else int(size) if size >= 1 else round(size * total)
        if not 0 < counts[split] <= available:
            raise UserError(
                f"splits.{split}: {counts[split]} {noun}s asked for, {available} of {total} are left for it"
            )
    return counts


def _apportion(members: Indices, count: int) -> Indices:
    quotas = members * count / members.sum()
    counts: Indices = np.floor(quotas).astype(np.int64)
    by_remainder = np.argsort(counts - quotas, kind="stable")
    counts[by_remainder[: count - counts.sum()]] += 1
    return counts
