"""Handwritten digits, each at a random place of a larger image, among pieces of other digits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl_kd.tasks.data.digits import Digits, shared_out
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_SCENES = {"validation": 1000, "test": 2000}
_SIDE, _DIGIT = 16, 8
_PIECES, _PIECE = 5, 3
_WHITE, _NOISE = 255, 40
_FAINTEST_DIGIT, _FAINTEST_PIECE = 180, 80


class ClutteredDigits(Data):
    """The digits of scikit-learn in scenes of 16x16 pixels: noise, five pieces of other digits, one whole digit on top.

    After the cluttered MNIST of Mnih et al. 2014 (arXiv:1406.6247). The splits share no handwriting: 800 digits are
    shown in training, 400 in search-validation, 597 in the test.

    Attributes:
        scenes: Number of images to train on.
    """

    kind: Literal["cluttered-digits"]
    scenes: Annotated[int, Field(ge=100, le=100_000)] = 500

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        source = Digits(kind="digits").read(folder, problem)
        written = shared_out(source.pool)
        found = Found(
            place=source.found.place,
            layout=f"digits of {_DIGIT}x{_DIGIT}, placed among pieces of others by fixed seeds",
            stored=f"uint8, {_SIDE}x{_SIDE}",
            low=0,
            high=_WHITE,
            pixels=f"divided by {_WHITE}",
            span=(0, _WHITE),
        )
        given = {name: _scenes(name, written[name], count) for name, count in _SCENES.items()}
        train = _scenes("train", written["train"], self.scenes)
        return Source(train, source.problem, partial(Images.fitted, white=255.0, found=found), found, given)


def _scenes(split: str, digits: Split, count: int) -> Split:
    """Scenes that show the digits in turn. Integers are drawn and computed, so that every machine makes the same."""
    source = generator("cluttered-digits", *split.encode())

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (count, *shape), generator=source)

    def faint(ink: Tensor, least: int) -> Tensor:
        return ink * (least + draw(_WHITE + 1 - least, 1, 1)) // _WHITE

    every = torch.arange(count)
    ink = (digits.inputs[:, 0] * _WHITE).long()
    scenes = draw(_NOISE, _SIDE, _SIDE)
    for _ in range(_PIECES):
        piece = ink[_window(draw(len(ink)), draw(_DIGIT - _PIECE + 1, 2), _PIECE)]
        place = _window(every, draw(_SIDE - _PIECE + 1, 2), _PIECE)
        scenes[place] = torch.maximum(scenes[place], faint(piece, _FAINTEST_PIECE))
    shown = every % len(ink)
    place = _window(every, draw(_SIDE - _DIGIT + 1, 2), _DIGIT)
    # The more ink, the less of what lies below is seen.
    scenes[place] += (_WHITE - scenes[place]) * faint(ink[shown], _FAINTEST_DIGIT) // _WHITE
    return Split(scenes[:, None].byte(), digits.labels[shown], f"{split} scene {{}}".format)


def _window(images: Tensor, corners: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices, (N, side, side) together, of a square in each of some images (N,), by its first corner (N, 2)."""
    steps = torch.arange(side)
    rows, columns = (corners[:, axis, None, None] for axis in (0, 1))
    return images[:, None, None], rows + steps[:, None], columns + steps


DATA.add("cluttered-digits", DataKind(ClutteredDigits, ("multiclass",)))
