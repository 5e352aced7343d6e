"""The digits that come inside scikit-learn (Alpaydin & Kaynak 1998): 1,797 grey images of 8x8."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from automl_kd.core import UserError
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_DARKEST = 16
_PIXELS = 8
_FOUND = Found(
    place="scikit-learn",
    layout="a table of one image a row",
    stored="whole numbers, 8x8",
    low=0,
    high=_DARKEST,
    pixels=f"divided by {_DARKEST}",
    span=(0, _DARKEST),
)


class Digits(Data):
    """Ten classes of handwritten digits; no files needed."""

    kind: Literal["digits"]

    @property
    def pixels(self) -> int:
        """Height and width."""
        return _PIXELS

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        rows = torch.from_numpy(np.loadtxt(_table(), delimiter=",", dtype=np.int64))
        images = rows[:, :-1].float().reshape(-1, 1, _PIXELS, _PIXELS) / _DARKEST
        fit = partial(Images.fitted, white=1.0, found=_FOUND)
        return Source(Split(images, rows[:, -1]), Multiclass(tuple(map(str, range(10)))), fit, _FOUND)


def _table() -> Path:
    """Where scikit-learn keeps them: importing it for ``load_digits`` takes a hundred times longer than reading."""
    found = find_spec("sklearn")
    table = Path(found.origin if found and found.origin else "").parent / "datasets" / "data" / "digits.csv.gz"
    if not table.is_file():
        raise UserError(f"task digits: {table} is not there; install scikit-learn, which brings the images, anew")
    return table


DATA.add("digits", DataKind(Digits, ("multiclass",)))
