"""Images that are made of handwritten digits by fixed seeds.

Integers are drawn and computed, so that every machine makes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from automl_kd.tasks.data.digits import Digits
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Source
from automl_kd.tasks.split import Split

DIGIT = 8
"""Height and width of a digit."""
WHITE = 255
_WRITTEN = {"train": 800, "validation": 400, "test": 597}


class Draw(Protocol):
    """Draws whole numbers for all images of a split."""

    def __call__(self, high: int, *shape: int) -> Tensor:
        """Numbers from 0 to ``high`` - 1, (images, *shape)."""


Scene = Callable[[Tensor, Tensor, int, Draw], tuple[Tensor, Tensor]]
"""``(ink, digits, count, draw)`` to images (count, H, W) and their labels.

``ink`` (N, 8, 8) are the handwritten digits, from 0 to ``WHITE``, and ``digits`` (N,) which these are.
"""


def made_of_digits(
    kind: str, scene: Scene, counts: Mapping[str, int], layout: str, problem: Problem, called: str = "scene"
) -> Source:
    """The images of a kind of data, which show scikit-learn's digits.

    The splits share no handwriting: 800 digits are shown in training, 400 in search-validation, 597 in the test.

    Args:
        kind: The kind's name, which decides the draws together with the split's.
        scene: Makes the images of a split.
        counts: How many, for ``train``, ``validation`` and ``test``.
        layout: What is said of them.
        problem: What their labels are.
        called: What a message calls an image.
    """
    source = Digits(kind="digits").read(Path(), Multiclass)
    order = torch.randperm(len(source.pool), generator=generator("cluttered-digits")).numpy()
    parts = np.split(order, np.cumsum(list(_WRITTEN.values()))[:-1])
    splits = {
        split: _made(kind, split, source.pool.take(part), counts[split], scene, called)
        for split, part in zip(_WRITTEN, parts, strict=True)
    }
    height, width = splits["train"].tensor.shape[2:]
    found = Found(
        place=source.found.place,
        layout=layout,
        stored=f"uint8, {width}x{height}",
        low=0,
        high=WHITE,
        pixels=f"divided by {WHITE}",
        span=(0, WHITE),
    )
    train = splits.pop("train")
    return Source(train, problem, partial(Images.fitted, white=float(WHITE), found=found), found, splits)


def _made(kind: str, split: str, digits: Split, count: int, scene: Scene, called: str) -> Split:
    source = generator(kind, *split.encode())

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (count, *shape), generator=source)

    images, labels = scene((digits.tensor[:, 0] * WHITE).long(), digits.labels, count, draw)
    return Split(images[:, None].byte(), labels, f"{split} {called} {{}}".format)
