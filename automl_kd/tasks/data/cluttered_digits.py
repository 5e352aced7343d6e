"""Handwritten digits, each at a random place of a larger image, among pieces of other digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.data.scenes import DIGIT, WHITE, Draw, made_of_digits
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.source import Data, Source

_SCENES = {"validation": 1000, "test": 2000}
_SIDE = 16
_PIECES, _PIECE = 5, 3
_NOISE = 40
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

    @property
    def pixels(self) -> int:
        """Height and width."""
        return _SIDE

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        counts = {"train": self.scenes, **_SCENES}
        layout = f"digits of {DIGIT}x{DIGIT}, placed among pieces of others by fixed seeds"
        return made_of_digits("cluttered-digits", _scenes, counts, layout, Multiclass(tuple(map(str, range(10)))))


def _scenes(ink: Tensor, digits: Tensor, count: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """Scenes that show the digits in turn."""

    def faint(ink: Tensor, least: int) -> Tensor:
        return ink * (least + draw(WHITE + 1 - least, 1, 1)) // WHITE

    every = torch.arange(count)
    scenes = draw(_NOISE, _SIDE, _SIDE)
    for _ in range(_PIECES):
        piece = ink[_window(draw(len(ink)), draw(DIGIT - _PIECE + 1, 2), _PIECE)]
        place = _window(every, draw(_SIDE - _PIECE + 1, 2), _PIECE)
        scenes[place] = torch.maximum(scenes[place], faint(piece, _FAINTEST_PIECE))
    shown = every % len(ink)
    place = _window(every, draw(_SIDE - DIGIT + 1, 2), DIGIT)
    # The more ink, the less of what lies below is seen.
    scenes[place] += (WHITE - scenes[place]) * faint(ink[shown], _FAINTEST_DIGIT) // WHITE
    return scenes, digits[shown]


def _window(images: Tensor, corners: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices, (N, side, side) together, of a square in each of some images (N,), by its first corner (N, 2)."""
    steps = torch.arange(side)
    rows, columns = (corners[:, axis, None, None] for axis in (0, 1))
    return images[:, None, None], rows + steps[:, None], columns + steps


DATA.add("cluttered-digits", DataKind(ClutteredDigits, ("multiclass",)))
