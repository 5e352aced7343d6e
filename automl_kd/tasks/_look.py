"""A look at a task's three splits: how many examples each class has, and what is odd about them."""

from __future__ import annotations

from collections.abc import Mapping

from automl_kd.tasks._reading import DataReading, Found
from automl_kd.tasks._split import Split


def look(found: Found, splits: Mapping[str, Split], class_names: tuple[str, ...]) -> DataReading:
    """What was read of data that are split.

    Args:
        found: What the kind of data says of itself.
        splits: ``train``, ``validation`` and ``test``.
        class_names: One name a class.
    """
    return DataReading(
        place=found.place,
        layout=found.layout,
        counts={name: _by_class(split, len(class_names)) for name, split in splits.items()},
        class_names=class_names,
        shape=tuple(splits["train"].images.shape[1:]),
        stored=found.stored,
        low=found.low,
        high=found.high,
        pixels=found.pixels,
        left_out=found.left_out,
        warnings=found.warnings,
    )


def _by_class(split: Split, classes: int) -> tuple[int, ...]:
    return tuple(split.labels.bincount(minlength=classes).tolist())
