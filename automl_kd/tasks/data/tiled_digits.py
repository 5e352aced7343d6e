"""Up to four handwritten digits in one image, with a label for each digit that is there."""

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
from automl_kd.tasks.problems import Multilabel, Problem
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_SCENES = {"validation": 500, "test": 1000}
_DIGITS, _DIGIT, _TILES = 10, 8, 2
_WHITE, _NOISE, _LOUD, _FAINTEST = 255, 40, 160, 100
_TENTHS, _SHOWN, _LOUD_FROM = 10, 6, 8  # of the tiles six in ten show a digit, two are faint noise and two loud


class TiledDigits(Data):
    """The digits of scikit-learn in two rows of two tiles: a digit, faint noise or loud noise in each.

    The splits share no handwriting: 800 digits are shown in training, 400 in search-validation, 597 in the test.

    Attributes:
        scenes: Number of images to train on.
    """

    kind: Literal["tiled-digits"]
    scenes: Annotated[int, Field(ge=100, le=100_000)] = 1000

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        source = Digits(kind="digits").read(folder, problem)
        written = shared_out(source.pool)
        side = _TILES * _DIGIT
        found = Found(
            place=source.found.place,
            layout=f"digits of {_DIGIT}x{_DIGIT} and noise, two rows of two by fixed seeds",
            stored=f"uint8, {side}x{side}",
            low=0,
            high=_WHITE,
            pixels=f"divided by {_WHITE}",
            span=(0, _WHITE),
        )
        given = {name: _scenes(name, written[name], count) for name, count in _SCENES.items()}
        train = _scenes("train", written["train"], self.scenes)
        names = tuple(map(str, range(_DIGITS)))
        return Source(train, Multilabel(names), partial(Images.fitted, white=255.0, found=found), found, given)


def _scenes(split: str, digits: Split, count: int) -> Split:
    """Scenes of four tiles. Integers are drawn and computed, so that every machine makes the same."""
    source = generator("tiled-digits", *split.encode())

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (count, *shape), generator=source)

    ink = (digits.inputs[:, 0] * _WHITE).long()
    side = _TILES * _DIGIT
    scenes, labels = torch.zeros(count, side, side, dtype=torch.int64), torch.zeros(count, _DIGITS)
    for row in range(_TILES):
        for column in range(_TILES):
            kind, shown = draw(_TENTHS), draw(len(ink))
            tile = draw(_NOISE, _DIGIT, _DIGIT)
            tile += draw(_LOUD, _DIGIT, _DIGIT) * (kind >= _LOUD_FROM)[:, None, None]
            there = kind < _SHOWN
            strength = _FAINTEST + draw(_WHITE + 1 - _FAINTEST, 1, 1)
            # The more ink, the less of the noise is seen.
            tile += (_WHITE - tile) * (ink[shown] * strength // _WHITE) * there[:, None, None] // _WHITE
            scenes[:, row * _DIGIT : (row + 1) * _DIGIT, column * _DIGIT : (column + 1) * _DIGIT] = tile
            labels[there.nonzero().flatten(), digits.labels[shown[there]]] = 1
    return Split(scenes[:, None].byte(), labels, f"{split} scene {{}}".format)


DATA.add("tiled-digits", DataKind(TiledDigits, ("multilabel",)))
