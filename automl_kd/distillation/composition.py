"""Which examples each batch of a run holds: a pass over the labelled ones, with a share of unlabelled ones beside."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from automl_kd.recipes import Train
from automl_kd.tasks import generator


@dataclass(frozen=True, eq=False)
class Drawn:
    """The examples of one batch.

    Attributes:
        index: Positions (B,) int64 in the training split, then those of unlabelled examples, which follow its size.
        labelled: How many have labels: the first ones.
    """

    index: Tensor
    labelled: int


@dataclass(frozen=True)
class Composition:
    """The batches of every epoch of a run, each a function of seed and epoch.

    Attributes:
        train: The recipe's ``train``, for the size of a batch and the share of it that has no labels.
        seed: Of the order.
        labelled: Examples in the training split.
        unlabelled: Examples without labels; 0 where the recipe asks for none.
    """

    train: Train
    seed: int
    labelled: int
    unlabelled: int = 0

    @property
    def steps(self) -> int:
        """Batches an epoch, which is one pass over the labelled examples."""
        # A last batch of one example is left out, because batch normalisation needs a variance.
        whole, rest = divmod(self.labelled, self.train.labelled_batch)
        return whole + (rest > 1)

    def epoch(self, number: int) -> list[Drawn]:
        """The batches of an epoch, counted from 0.

        Unlabelled examples are drawn without replacement until all have been, then in the same order again.
        """
        order = torch.randperm(self.labelled, generator=generator("order", self.seed, number))
        labelled = order.split(self.train.labelled_batch)[: self.steps]
        if not self.unlabelled:
            return [Drawn(index, len(index)) for index in labelled]
        beside = self._unlabelled(number)
        return [
            Drawn(torch.cat((index, others[: self._beside(len(index))])), len(index))
            for index, others in zip(labelled, beside, strict=True)
        ]

    def _unlabelled(self, number: int) -> tuple[Tensor, ...]:
        """Positions of as many unlabelled examples for every step as a whole batch holds."""
        order = torch.randperm(self.unlabelled, generator=generator("unlabelled", self.seed, number)) + self.labelled
        size = self._beside(self.train.labelled_batch)
        needed = self.steps * size
        return order.repeat(-(-needed // self.unlabelled))[:needed].split(size)

    def _beside(self, labelled: int) -> int:
        """How many unlabelled examples stand beside labelled ones: the same share of a last, smaller batch."""
        whole = min(self.train.batch_size - self.train.labelled_batch, self.unlabelled)
        return max(1, round(whole * labelled / self.train.labelled_batch))
