"""Torch's global random state, seeded for a run and restored after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int, torch_device: torch.device) -> Iterator[None]:
    """A context with torch's global generators seeded and cuDNN deterministic; it restores the state of before."""
    devices = [torch.cuda.current_device()] if torch_device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.backends.cudnn.flags(enabled=True, deterministic=True):
        torch.default_generator.manual_seed(seed)
        if torch_device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
