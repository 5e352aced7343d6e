"""One class of several for each example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from automl_kd.core import Meaning, Output, whole
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.problems.class_labels import class_numbers, odd_classes
from automl_kd.tasks.problems.precision import wide
from automl_kd.tasks.problems.problem import Problem, ReadLabels
from automl_kd.tasks.problems.registry import PROBLEMS
from automl_kd.tasks.reading import Found, some
from automl_kd.tasks.roles import looks_like_split

_FEW = 5
_RARE = 0.01
_SMALL, _UNEVEN = 20, 10
_LISTED = 8  # classes that are counted one by one in a line; of more, the fewest and the most


@dataclass(frozen=True)
class Multiclass(Problem):
    """Labels (N,) int64, the number of a class; outputs are logits (N, classes)."""

    names: tuple[str, ...]
    name: ClassVar[str] = "multiclass"
    meaning: ClassVar[Meaning] = "categorical"

    @classmethod
    def read(cls, stored: Mapping[str, Labels]) -> ReadLabels:
        """Labels (N,) or (N, 1), integers or text; the classes are their distinct values in order."""
        names, labels = class_numbers(stored)
        return ReadLabels(cls(names), labels, odd_classes(stored["train"]))

    @property
    def output(self) -> Output:
        return Output("logits", len(self.names), "categorical")

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats; ``targets`` are classes (N,), or distributions (N, classes)."""
        return functional.cross_entropy(wide(outputs), targets, reduction="none")

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(wide(outputs), targets)

    def blendable(self, labels: Tensor) -> Tensor:
        return functional.one_hot(labels, len(self.names)).float()

    def smoothed(self, targets: Tensor, share: float) -> Tensor:
        """``share`` of each label is spread over all classes, as torch's cross-entropy does."""
        certain = targets if targets.is_floating_point() else self.blendable(targets)
        return (1 - share) * certain + share / len(self.names)

    def mean_of_members(self, outputs: Tensor) -> Tensor:
        """The logarithm of the mean of their probabilities."""
        mean = outputs.softmax(dim=2).mean(dim=1)
        # In float64 the logarithm keeps the order of any two float32. A probability that underflowed has a finite one.
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).double().log()

    def constant_answer(self, labels: Tensor) -> Tensor:
        """The logarithms of the classes' shares, of which the most frequent is the largest."""
        shares = labels.bincount(minlength=len(self.names)).float() / max(1, len(labels))
        return shares.clamp(min=torch.finfo(shares.dtype).tiny).log()

    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        return labels.numpy(), self.names

    def identity(self) -> dict[str, Any]:
        # The metric decides nothing that is learned. The field and its value stay, because trained teachers and their
        # outputs are kept under this hash.
        return {"classes": self.names, "metric": "accuracy"}

    @property
    def words(self) -> str:
        return f"of {len(self.names)} classes"

    def counts(self, labels: Tensor) -> tuple[int, ...]:
        return tuple(labels.bincount(minlength=len(self.names)).tolist())

    def told(self, labels: Tensor) -> str:
        counts = dict(zip(self.names, self.counts(labels), strict=True))
        if len(counts) <= _LISTED:
            return f"{whole(len(labels))} ({', '.join(f'{name} {whole(number)}' for name, number in counts.items())})"
        fewest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        span = f"from {whole(counts[fewest])} of {fewest} to {whole(counts[most])} of {most}"
        return f"{whole(len(labels))} ({span})"

    def shown(self, label: Tensor) -> str:
        return self.names[int(label)]

    def odd(self, labels: Mapping[str, Tensor], found: Found, noun: str) -> tuple[str, ...]:
        counts = {name: of_split.bincount(minlength=len(self.names)) for name, of_split in labels.items()}
        return (*self._rare(counts["train"], noun), *self._missing(counts, noun), *self._like_splits(found))

    def groups(self, labels: Tensor) -> dict[str, NDArray[np.bool_]]:
        numbers = labels.numpy()
        return {f"class {name!r}": numbers == number for number, name in enumerate(self.names)}

    def refusal(self, labels: Tensor, noun: str) -> str | None:
        if len(self.names) > 1:
            return None
        return f"all {noun}s are of the class {self.names[0]!r}; there should be two or more"

    def _rare(self, counts: Tensor, noun: str) -> Iterator[str]:
        rare = (counts < _RARE * int(counts.sum())) | ((counts < _SMALL) & (counts * _UNEVEN < counts.max()))
        if rare.any():
            shown = some(
                [f"{name} ({count})" for name, count, few in zip(self.names, counts, rare, strict=True) if few]
            )
            yield (
                f"few training {noun}s of {shown}, of {int(counts.sum())} in all: a network that never answers so is"
                " hardly worse; add some, or leave the class out"
            )
        elif int(counts.max()) < _FEW:
            yield f"no class has more than {int(counts.max())} training {noun}s: add some"

    def _missing(self, counts: Mapping[str, Tensor], noun: str) -> Iterator[str]:
        for split, by_class in counts.items():
            missing = [name for name, count in zip(self.names, by_class.tolist(), strict=True) if count == 0]
            if missing:
                yield f"{split} has no {noun} of {some(missing)}: what it says does not hold for them; add some"

    def _like_splits(self, found: Found) -> Iterator[str]:
        named = [name for name in self.names if looks_like_split(name)]
        if named:
            yield (
                f"{some(named)} is taken for a class and called like a split; for splits of a folder, lay it out as"
                f" {named[0]}/CLASS/image.png (read as: {found.layout})"
            )


PROBLEMS.add("multiclass", Multiclass)
