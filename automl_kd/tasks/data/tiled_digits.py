"""Up to four handwritten digits in one image, with a label for each digit that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.data.scenes import DIGIT, WHITE, Draw, made_of_digits
from automl_kd.tasks.problems import Multilabel, Problem
from automl_kd.tasks.source import Data, Source

_SCENES = {"validation": 500, "test": 1000}
_DIGITS, _TILES = 10, 2
_NOISE, _LOUD, _FAINTEST = 40, 160, 100
_TENTHS, _SHOWN, _LOUD_FROM = 10, 6, 8  # of the tiles six in ten show a digit, two are faint noise and two loud


class TiledDigits(Data):
    """The digits of scikit-learn in two rows of two tiles: a digit, faint noise or loud noise in each.

    The splits share no handwriting: 800 digits are shown in training, 400 in search-validation, 597 in the test.

    Attributes:
        scenes: Number of images to train on.
    """

    kind: Literal["tiled-digits"]
    scenes: Annotated[int, Field(ge=100, le=100_000)] = 1000

    @property
    def pixels(self) -> int:
        """Height and width."""
        return _TILES * DIGIT

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        counts = {"train": self.scenes, **_SCENES}
        layout = f"digits of {DIGIT}x{DIGIT} and noise, two rows of two by fixed seeds"
        return made_of_digits("tiled-digits", _scenes, counts, layout, Multilabel(tuple(map(str, range(_DIGITS)))))


def _scenes(ink: Tensor, digits: Tensor, count: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """Scenes of four tiles."""
    side = _TILES * DIGIT
    scenes, labels = torch.zeros(count, side, side, dtype=torch.int64), torch.zeros(count, _DIGITS)
    for row in range(_TILES):
        for column in range(_TILES):
            kind, shown = draw(_TENTHS), draw(len(ink))
            tile = draw(_NOISE, DIGIT, DIGIT)
            tile += draw(_LOUD, DIGIT, DIGIT) * (kind >= _LOUD_FROM)[:, None, None]
            there = kind < _SHOWN
            strength = _FAINTEST + draw(WHITE + 1 - _FAINTEST, 1, 1)
            # The more ink, the less of the noise is seen.
            tile += (WHITE - tile) * (ink[shown] * strength // WHITE) * there[:, None, None] // WHITE
            scenes[:, row * DIGIT : (row + 1) * DIGIT, column * DIGIT : (column + 1) * DIGIT] = tile
            labels[there.nonzero().flatten(), digits[shown[there]]] = 1
    return scenes, labels


DATA.add("tiled-digits", DataKind(TiledDigits, ("multilabel",)))
