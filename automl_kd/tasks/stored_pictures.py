"""Pictures that lie decoded on disk, as the examples of a split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from automl_kd.pictures import PictureStore, RowFacts
from automl_kd.tasks.split import Examples
from automl_kd.tasks.splits import Indices

_FEW = 2**28  # bytes that are worth having in memory
_SHARE = 8  # of the memory that is free


@dataclass(frozen=True, eq=False)
class StoredPictures:
    """Some pictures of a store, read when they are asked for.

    Attributes:
        store: The store.
        rows: Their positions in it, (N,).
    """

    store: PictureStore
    rows: Indices

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self.rows), *self.store.shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.store.dtype)
        return dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        chosen = index.cpu().numpy() if isinstance(index, Tensor) else index
        return torch.from_numpy(np.take(self.store.array, self.rows[chosen], axis=0))

    def taken(self, indices: Indices) -> StoredPictures:
        return replace(self, rows=self.rows[indices])

    def identity(self) -> dict[str, Any]:
        return {"pictures": hashlib.sha256(self.facts.digest.tobytes()).hexdigest()}

    def digests(self) -> list[bytes]:
        return self.facts.digests()

    @property
    def facts(self) -> RowFacts:
        """What was found out about them when they were decoded."""
        return self.store.facts.take(self.rows)


def in_memory(examples: Examples) -> Examples:
    """The same examples, in memory where all pictures of their store are few and memory is free."""
    if not isinstance(examples, StoredPictures):
        return examples
    few = min(_FEW, psutil.virtual_memory().available // _SHARE)
    return examples[:] if examples.store.bytes <= few else examples
