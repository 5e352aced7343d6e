"""Examples in a file, as a task may have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True)
class OnDisk:
    """Rows of a ``.npy`` file, read when they are asked for."""

    path: Path
    rows: torch.Tensor

    @classmethod
    def written(cls, path, examples):
        np.save(path, examples.numpy())
        return cls.opened(path)

    @classmethod
    def opened(cls, path):
        return cls(Path(path), torch.arange(len(np.load(path, mmap_mode="r"))))

    @property
    def shape(self):
        return torch.Size((len(self.rows), *np.load(self.path, mmap_mode="r").shape[1:]))

    @property
    def dtype(self):
        return torch.from_numpy(np.load(self.path, mmap_mode="r")[:1].copy()).dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return torch.from_numpy(np.load(self.path, mmap_mode="r")[self.rows[index].numpy()])

    def taken(self, indices):
        return OnDisk(self.path, self.rows[torch.from_numpy(indices)])

    def identity(self):
        return {"path": self.path.name, "rows": len(self.rows)}
