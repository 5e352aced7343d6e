"""The same example twice: with two labels, or in a split that is learned from and one that is tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from automl_kd.core import counted
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.split import Split

_MOSTLY = 0.1
_BATCH = 256

Place = tuple[str, int]
"""A split and a position in it."""


def duplicate_warnings(
    splits: Mapping[str, Split], unlabelled: Split | None, problem: Problem, noun: str
) -> Iterator[str]:
    """A line for every kind of doubling: labels that contradict, splits that overlap, one example many times.

    Examples are compared as the task stores them, so that copies under other names or in other formats count.

    Args:
        splits: In the order train, validation, test.
        unlabelled: Examples without labels, if there are any.
        problem: Of the labels.
        noun: What an example is called.
    """
    copies = [places for places in _by_content(splits).values() if len(places) > 1]
    yield from _two_labels(copies, splits, problem, noun)
    for split in ("validation", "test"):
        yield from _overlap(copies, splits, split, problem, noun)
    yield from _many(copies, splits, noun)
    if unlabelled is not None:
        yield from _unlabelled(splits, unlabelled, problem, noun)


def _by_content(splits: Mapping[str, Split]) -> dict[bytes, list[Place]]:
    found: dict[bytes, list[Place]] = {}
    for name, split in splits.items():
        for index, digest in enumerate(_digests(split)):
            found.setdefault(digest, []).append((name, index))
    return found


def _digests(split: Split) -> Iterable[bytes]:
    if not isinstance(split.inputs, Tensor):
        return split.inputs.digests()
    rows = (row for batch in split.batches(_BATCH) for row in batch.contiguous().numpy())
    return (hashlib.blake2b(row, digest_size=16).digest() for row in rows)


def _two_labels(
    copies: Sequence[Sequence[Place]], splits: Mapping[str, Split], problem: Problem, noun: str
) -> Iterator[str]:
    def label(place: Place) -> str:
        return problem.shown(splits[place[0]].labels[place[1]])

    torn = [places for places in copies if len({label(place) for place in places}) > 1]
    if torn:
        first = torn[0][0]
        other = next(place for place in torn[0] if label(place) != label(first))
        said = " and ".join(f"{_name(splits, place)} ({label(place)})" for place in (first, other))
        two = "in two classes" if problem.meaning == "categorical" else "with two labels"
        yield f"{counted(len(torn), noun)} {two}, such as {said}: keep each in one"


def _overlap(
    copies: Sequence[Sequence[Place]], splits: Mapping[str, Split], split: str, problem: Problem, noun: str
) -> Iterator[str]:
    # Places come in the order train, validation, test: the first is in the split that is seen first.
    shared = [(places[0], other) for places in copies for other in places if places[0][0] != split == other[0]]
    if shared:
        here, there = (_name(splits, place) for place in shared[0])
        seen = " or ".join(dict.fromkeys(first[0] for first, _ in shared))
        yield (
            f"{len(shared)} of {len(splits[split])} {split} {noun}s also in {seen}, such as {there} ({here}):"
            f" {problem.metrics()[0].title} on them says nothing about new ones; keep one of each"
        )


def _unlabelled(splits: Mapping[str, Split], unlabelled: Split, problem: Problem, noun: str) -> Iterator[str]:
    without = {digest: index for index, digest in enumerate(_digests(unlabelled))}
    for name in ("validation", "test"):
        shared = [(index, without[each]) for index, each in enumerate(_digests(splits[name])) if each in without]
        if shared:
            there, here = splits[name].name(shared[0][0]), unlabelled.name(shared[0][1])
            yield (
                f"{len(shared)} of {len(splits[name])} {name} {noun}s also among the unlabelled, such as {there}"
                f" ({here}): students learn from them, and {problem.metrics()[0].title} says too much; take"
                " them out"
            )


def _many(copies: Sequence[Sequence[Place]], splits: Mapping[str, Split], noun: str) -> Iterator[str]:
    total = sum(map(len, splits.values()))
    spare = sum(len(places) - 1 for places in copies)
    if spare > _MOSTLY * total:
        most = max(copies, key=len)
        yield (
            f"{spare} of {total} {noun}s copies of others; {_name(splits, most[0])} is there {len(most)} times:"
            " leave the copies out"
        )


def _name(splits: Mapping[str, Split], place: Place) -> str:
    return splits[place[0]].name(place[1])
