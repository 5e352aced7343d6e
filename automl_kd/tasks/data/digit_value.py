"""Two handwritten digits in one image, and the number that they make."""

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
from automl_kd.tasks.problems import Problem, Regression
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_PAIRS = {"validation": 500, "test": 1000}
_DIGIT, _BASE = 8, 10
_WHITE, _NOISE, _FAINTEST = 255, 60, 120


class DigitValue(Data):
    """The digits of scikit-learn in pairs, in noise; the label of a pair is the number that it is read as, 0 to 99.

    The splits share no handwriting: 800 digits are shown in training, 400 in search-validation, 597 in the test.

    Attributes:
        pairs: Number of images to train on.
    """

    kind: Literal["digit-value"]
    pairs: Annotated[int, Field(ge=100, le=100_000)] = 1000

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        source = Digits(kind="digits").read(folder, problem)
        written = shared_out(source.pool)
        found = Found(
            place=source.found.place,
            layout=f"digits of {_DIGIT}x{_DIGIT} in pairs, by fixed seeds",
            stored=f"uint8, {2 * _DIGIT}x{_DIGIT}",
            low=0,
            high=_WHITE,
            pixels=f"divided by {_WHITE}",
            span=(0, _WHITE),
        )
        given = {name: _pairs(name, written[name], count) for name, count in _PAIRS.items()}
        train = _pairs("train", written["train"], self.pairs)
        return Source(train, Regression(("number",)), partial(Images.fitted, white=255.0, found=found), found, given)


def _pairs(split: str, digits: Split, count: int) -> Split:
    """Pairs of digits. Integers are drawn and computed, so that every machine makes the same."""
    source = generator("digit-value", *split.encode())

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (count, *shape), generator=source)

    ink = (digits.inputs[:, 0] * _WHITE).long()
    left, right = draw(len(ink)), draw(len(ink))
    strength = _FAINTEST + draw(_WHITE + 1 - _FAINTEST, 1, 1)
    written = torch.cat([ink[left], ink[right]], dim=2) * strength // _WHITE
    noise = draw(_NOISE, _DIGIT, 2 * _DIGIT)
    # The more ink, the less of the noise is seen.
    images = noise + (_WHITE - noise) * written // _WHITE
    value = _BASE * digits.labels[left] + digits.labels[right]
    return Split(images[:, None].byte(), value[:, None].float(), f"{split} pair {{}}".format)


DATA.add("digit-value", DataKind(DigitValue, ("regression",)))
