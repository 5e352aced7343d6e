"""A look at a task's three splits: how many examples have which labels, what contradicts itself and what is odd."""

from __future__ import annotations

from collections.abc import Mapping

from automl_kd.core import whole
from automl_kd.tasks.duplicates import duplicate_warnings
from automl_kd.tasks.modalities import Modality
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.reading import DataReading, Found
from automl_kd.tasks.split import Split

_TITLES = {"train": "train", "validation": "search-validation", "test": "test"}


def look(
    found: Found, splits: Mapping[str, Split], unlabelled: Split | None, modality: Modality, problem: Problem
) -> DataReading:
    """What was read of data that are split.

    Args:
        found: What the kind of data says of itself.
        splits: ``train``, ``validation`` and ``test``.
        unlabelled: Examples without labels, if there are any.
        modality: Of the examples.
        problem: Of the labels.
    """
    labels = {name: split.labels for name, split in splits.items()}
    warnings = (
        *found.warnings,
        *problem.odd(labels, found, modality.noun),
        *modality.odd(splits, problem.groups(labels["train"]), found),
        *duplicate_warnings(splits, unlabelled, problem, modality.noun),
    )
    return DataReading(
        place=found.place,
        layout=found.layout,
        counts={name: problem.counts(of_split) for name, of_split in labels.items()},
        class_names=problem.names,
        shape=modality.input.shape,
        stored=found.stored,
        low=found.low,
        high=found.high,
        pixels=found.pixels,
        left_out=found.left_out,
        warnings=warnings,
        modality=modality.name,
        problem=problem.name,
        rows=()
        if (modality.name, problem.name) == ("image", "multiclass")
        else _rows(found, splits, modality, problem),
        told=found.told,
    )


def _rows(
    found: Found, splits: Mapping[str, Split], modality: Modality, problem: Problem
) -> tuple[tuple[str, str], ...]:
    total = whole(sum(map(len, splits.values())))
    lines = (
        f"{total} {modality.noun}s {problem.words} in {found.place}: {found.layout}",
        *(f"{_TITLES[name]} {problem.told(splits[name].labels)}" for name in _TITLES if name in splits),
        *modality.told(splits, found),
        *found.told,
    )
    return tuple(("data", line) for line in lines)
