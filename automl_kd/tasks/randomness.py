"""Randomness as a function of a purpose and numbers (seed, epoch, step), so that anything drawn can be drawn again."""

from __future__ import annotations

import hashlib

import torch


def generator(purpose: str, *numbers: int) -> torch.Generator:
    """A CPU generator of its own for one purpose, for example ``generator("order", seed, epoch)``.

    The seed is a hash of all arguments: neighbouring seeds, epochs or steps share no stream.
    """
    text = ":".join((purpose, *map(str, numbers)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
