"""The kinds of data by name."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.core import Registry
from automl_kd.tasks.source import Data


@dataclass(frozen=True)
class DataKind:
    """A kind of data.

    Attributes:
        part: The ``data`` of a task file, which reads them.
        problems: The problem types that they can be of, that of a task file which names none first; empty for any, of
            which multiclass is first.
    """

    part: type[Data]
    problems: tuple[str, ...] = ()


DATA: Registry[DataKind] = Registry("kind of data", home="automl_kd.tasks.data")
"""What ``data.kind`` may name."""
