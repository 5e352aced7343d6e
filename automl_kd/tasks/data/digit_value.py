"""Two handwritten digits in one image, and the number that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.data.scenes import DIGIT, WHITE, Draw, made_of_digits
from automl_kd.tasks.problems import Problem, Regression
from automl_kd.tasks.source import Data, Source

_PAIRS = {"validation": 500, "test": 1000}
_BASE = 10
_NOISE, _FAINTEST = 60, 120


class DigitValue(Data):
    """The digits of scikit-learn in pairs, in noise; the label of a pair is the number that it is read as, 0 to 99.

    The splits share no handwriting: 800 digits are shown in training, 400 in search-validation, 597 in the test.

    Attributes:
        pairs: Number of images to train on.
    """

    kind: Literal["digit-value"]
    pairs: Annotated[int, Field(ge=100, le=100_000)] = 1000

    @property
    def pixels(self) -> int:
        """The width of two digits."""
        return 2 * DIGIT

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        counts = {"train": self.pairs, **_PAIRS}
        layout = f"digits of {DIGIT}x{DIGIT} in pairs, by fixed seeds"
        return made_of_digits("digit-value", _pairs, counts, layout, Regression(("number",)), "pair")


def _pairs(ink: Tensor, digits: Tensor, count: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """Pairs of digits."""
    left, right = draw(len(ink)), draw(len(ink))
    strength = _FAINTEST + draw(WHITE + 1 - _FAINTEST, 1, 1)
    written = torch.cat([ink[left], ink[right]], dim=2) * strength // WHITE
    noise = draw(_NOISE, DIGIT, 2 * DIGIT)
    # The more ink, the less of the noise is seen.
    images = noise + (WHITE - noise) * written // WHITE
    value = _BASE * digits[left] + digits[right]
    return images, value[:, None].float()


DATA.add("digit-value", DataKind(DigitValue, ("regression",)))
