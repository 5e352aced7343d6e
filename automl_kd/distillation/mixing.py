"""How the examples of a batch are mixed: those with labels and those without, each among themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from automl_kd.tasks import Mix, Modality, generator


@dataclass(frozen=True, eq=False)
class MixedApart:
    """A mix of two parts of a batch, as :class:`automl_kd.tasks.Mix` says.

    Attributes:
        first: Of the first ``count`` examples.
        second: Of the others.
        count: How many belong to the first part.
    """

    first: Mix
    second: Mix
    count: int

    def mixed(self, batch: Tensor) -> Tensor:
        return torch.cat((self.first.mixed(batch[: self.count]), self.second.mixed(batch[self.count :])))

    def blend(self, values: Tensor) -> Tensor:
        """As of any mix; of labels, which the second part has none of, there may be ``count`` rows alone."""
        first = self.first.blend(values[: self.count])
        return first if len(values) == self.count else torch.cat((first, self.second.blend(values[self.count :])))

    def to(self, device: torch.device) -> MixedApart:
        return MixedApart(self.first.to(device), self.second.to(device), self.count)


def draw_mix(
    modality: Modality, names: Collection[str], shape: torch.Size, labelled: int, seed: int, step: int
) -> Mix | None:
    """The mix of a step's batch, None where the augmentations of a recipe mix nothing.

    Args:
        modality: Of the examples.
        names: Augmentations of the recipe.
        shape: Of the batch, (B, …).
        labelled: How many of its examples have labels: the first ones.
        seed: Of the recipe.
        step: Of the run.
    """
    count, *rest = shape
    first = modality.draw_mix(names, torch.Size((labelled, *rest)), generator("mix", seed, step))
    if first is None or labelled == count:
        return first
    second = modality.draw_mix(names, torch.Size((count - labelled, *rest)), generator("mix unlabelled", seed, step))
    assert second is not None
    return MixedApart(first, second, labelled)
