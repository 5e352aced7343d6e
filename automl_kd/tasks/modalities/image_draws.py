"""Random numbers of the views of a training split, by augmentation: adding one never moves those of another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from automl_kd.tasks.randomness import generator

TRIES = 10
"""How often a box is drawn anew that does not fit; torchvision's number."""

_COLUMNS: Mapping[str, int] = MappingProxyType(
    {"view": 3, "resized_crop": 2 * TRIES + 2, "rand_augment": 4, "color_jitter": 8, "erase": 2 * TRIES + 3}
)
# Where a crop is, down and across, and whether an image is mirrored have been drawn together since version 0.1.
_TOGETHER: Mapping[str, str] = MappingProxyType({"crop": "view", "flip": "view"})


class ImageDraws:
    """Numbers in [0, 1) for every image of a split, drawn once a view and on the CPU, whatever the device.

    Args:
        examples: Images in the split.
        seed: Of all views.
    """

    def __init__(self, examples: int, seed: int) -> None:
        self._examples, self._seed = examples, seed
        # Those of the last view alone: an epoch asks for one.
        self._number: int | None = None
        self._drawn: dict[str, Tensor] = {}

    def of(self, name: str, index: Tensor, number: int) -> Tensor:
        """The numbers of one augmentation for some images, (B, columns) float64.

        Args:
            name: Whose numbers; those of ``crop`` and ``flip`` are the first two and the third of three.
            index: Positions of the images in the split (B,), on the CPU.
            number: Which view.
        """
        if number != self._number:
            self._number, self._drawn = number, {}
        name = _TOGETHER.get(name, name)
        if name not in self._drawn:
            purpose = name if name == "view" else f"view {name}"
            source = generator(purpose, self._seed, number)
            self._drawn[name] = torch.rand(self._examples, _COLUMNS[name], generator=source, dtype=torch.float64)
        return self._drawn[name][index]
