"""Randomness as a function of seed, purpose, epoch and step, so that a run can stop and go on at any step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator(purpose: str, *numbers: int) -> torch.Generator:
    """A CPU generator of its own for one purpose, for example ``generator("order", seed, epoch)``.

    The seed is a hash of all arguments: neighbouring seeds, epochs or steps share no stream.
    """
    text = ":".join((purpose, *map(str, numbers)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators started from ``seed`` and cuDNN deterministic inside; outside all is as it was."""
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.backends.cudnn.flags(enabled=True, deterministic=True):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
