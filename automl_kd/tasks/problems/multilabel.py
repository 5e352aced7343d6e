"""Any number of labels for each example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from automl_kd.core import Meaning, Output, whole
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.problems.flags import flags
from automl_kd.tasks.problems.precision import wide
from automl_kd.tasks.problems.problem import Problem, ReadLabels
from automl_kd.tasks.problems.registry import PROBLEMS
from automl_kd.tasks.reading import Found, some

_RARE, _FEW = 0.01, 5
_GROUP = 20  # examples, below which a group of its own says nothing about its share in a split
_LISTED = 8  # labels that are counted one by one in a line; of more, the rarest and the most frequent


@dataclass(frozen=True)
class Multilabel(Problem):
    """Labels (N, L) float32, 1 where an example has a label and else 0; outputs are logits (N, L), a yes or no each."""

    names: tuple[str, ...]
    name: ClassVar[str] = "multilabel"
    meaning: ClassVar[Meaning] = "bernoulli"

    @classmethod
    def read(cls, stored: Mapping[str, Labels]) -> ReadLabels:
        """Zeros and ones (N, L), as numbers or as columns of a table; or cells with any number of labels."""
        names, labels = flags(stored)
        return ReadLabels(cls(names), labels)

    @property
    def output(self) -> Output:
        return Output("logits", len(self.names), "bernoulli")

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the labels of the binary cross-entropy in nats; ``targets`` are probabilities (N, L)."""
        return functional.binary_cross_entropy_with_logits(wide(outputs), targets, reduction="none").mean(dim=1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(wide(outputs), targets)

    def blendable(self, labels: Tensor) -> Tensor:
        return labels.float()

    def smoothed(self, targets: Tensor, share: float) -> Tensor:
        """Each yes or no is moved towards one half by ``share`` of the way."""
        return (1 - share) * self.blendable(targets) + share / 2

    def mean_of_members(self, outputs: Tensor) -> Tensor:
        """The log-odds of the mean of their probabilities, computed in the logarithm, where nothing underflows."""
        logits = outputs.double()
        there, absent = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        return there.logsumexp(dim=1) - absent.logsumexp(dim=1)

    def constant_answer(self, labels: Tensor) -> Tensor:
        """The log-odds of the labels' shares, shifted so that those are answered that make micro F1 largest."""
        shares = labels.double().mean(dim=0)
        frequent = shares.sort(descending=True).values
        taken = torch.arange(1, len(frequent) + 1, dtype=torch.float64)
        best = int((2 * frequent.cumsum(0) / (taken + frequent.sum())).argmax())
        odds = torch.logit(frequent, eps=1e-6)
        between = odds[best] - 1 if best + 1 == len(odds) else (odds[best] + odds[best + 1]) / 2
        return (torch.logit(shares, eps=1e-6) - between).float()

    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """By the rarest label that an example has, because a frequent one has its share in any draw."""
        counts = labels.sum(dim=0)
        rarity = torch.where(labels > 0, counts, torch.inf)
        groups = torch.where(labels.sum(dim=1) > 0, rarity.argmin(dim=1), len(self.names)).numpy()
        sizes = np.bincount(groups, minlength=len(self.names) + 1)
        groups = np.where(sizes[groups] < _GROUP, len(sizes), groups)
        return np.unique(groups, return_inverse=True)[1].astype(np.int64), ()

    @property
    def words(self) -> str:
        return f"with any of {len(self.names)} labels"

    def counts(self, labels: Tensor) -> tuple[int, ...]:
        return tuple(int(count) for count in labels.sum(dim=0))

    def told(self, labels: Tensor) -> str:
        counts = dict(zip(self.names, self.counts(labels), strict=True))
        none = int((labels.sum(dim=1) == 0).sum())
        said = ", ".join(f"{name} in {whole(number)}" for name, number in counts.items())
        if len(counts) > _LISTED:
            rarest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
            said = f"from {rarest} in {whole(counts[rarest])} to {most} in {whole(counts[most])}"
        mean = float(labels.sum()) / max(1, len(labels))
        return f"{whole(len(labels))} ({said}; none in {whole(none)}; {mean:.2g} labels each)"

    def shown(self, label: Tensor) -> str:
        return ", ".join(name for name, there in zip(self.names, label.tolist(), strict=True) if there) or "no label"

    def odd(self, labels: Mapping[str, Tensor], found: Found, noun: str) -> tuple[str, ...]:
        counts = {name: self.counts(of_split) for name, of_split in labels.items()}
        return (*self._rare(counts["train"], len(labels["train"]), noun), *self._missing(counts, noun))

    def refusal(self, labels: Tensor, noun: str) -> str | None:
        if not bool((labels == labels[0]).all()):
            return None
        return (
            f"all {len(labels)} training {noun}s have the same labels ({self.shown(labels[0])}), so nothing can be"
            " learned from them"
        )

    def _rare(self, counts: tuple[int, ...], total: int, noun: str) -> Iterator[str]:
        named = list(zip(self.names, counts, strict=True))
        rare = [f"{name} ({count})" for name, count in named if count < max(_FEW, _RARE * total)]
        if rare:
            yield (
                f"few training {noun}s with {some(rare)}, of {total} in all: a network that never answers so is hardly"
                " worse; add some, or leave the label out"
            )
        always = [name for name, count in named if count == total]
        if always:
            yield f"every training {noun} has {some(always)}: leave the label out, there is nothing to tell apart"

    def _missing(self, counts: Mapping[str, tuple[int, ...]], noun: str) -> Iterator[str]:
        for split, by_label in counts.items():
            missing = [name for name, count in zip(self.names, by_label, strict=True) if count == 0]
            if missing and split != "train":
                yield f"{split} has no {noun} with {some(missing)}: what it says does not hold for them; add some"


PROBLEMS.add("multilabel", Multilabel)
