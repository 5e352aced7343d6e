"""The digits that come inside scikit-learn (Alpaydin & Kaynak 1998): 1,797 grey images of 8x8."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from automl_kd.tasks._source import Data, Source
from automl_kd.tasks._task import Split

_DARKEST = 16


class Digits(Data):
    """Ten classes of handwritten digits; no files needed."""

    kind: Literal["digits"]

    def read(self, folder: Path) -> Source:
        from sklearn.datasets import load_digits  # half a second that no other kind of data should pay

        digits = load_digits()
        images = torch.from_numpy(digits.images).float().unsqueeze(1) / _DARKEST
        labels = torch.from_numpy(digits.target).long()
        return Source(Split(images, labels), None, tuple(str(digit) for digit in digits.target_names))
