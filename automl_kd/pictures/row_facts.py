"""What is known of each picture of a set without reading it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowFacts:
    """Facts of N pictures of C channels, as they are kept.

    Attributes:
        low: The smallest value by channel, (N, C), float64.
        high: The largest.
        mean: Their mean.
        variance: Their variance.
        digest: A hash of all values, (N, 16), uint8: equal for equal pictures.
        equal: Whether all channels are equal, (N,), bool.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    digest: NDArray[np.uint8]
    equal: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Those of some pictures."""
        return type(self)(*(each[rows] for each in self.arrays().values()))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All facts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def digests(self) -> list[bytes]:
        """The hashes, one a picture."""
        return [row.tobytes() for row in self.digest]

    def moments(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of all pictures together, by channel."""
        mean = self.mean.mean(axis=0)
        # Of equally large pictures the variance is that within them, and that of their means.
        variance = self.variance.mean(axis=0) + np.square(self.mean - mean).mean(axis=0)
        return mean.tolist(), np.sqrt(variance).tolist()


def joined(rows: Iterable[dict[str, Any]], channels: int) -> RowFacts:
    """Facts of all pictures from those of each, as :func:`fact_of` gives them.

    Args:
        rows: In their order.
        channels: Of each.
    """
    listed = list(rows)

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([row[name] for row in listed], np.float64).reshape(-1, channels)

    digest = np.array([list(bytes.fromhex(row["digest"])) for row in listed], np.uint8).reshape(-1, 16)
    equal = np.array([row["equal"] for row in listed], np.bool_)
    return RowFacts(numbers("low"), numbers("high"), numbers("mean"), numbers("variance"), digest, equal)


def digest_of(image: NDArray[Any]) -> bytes:
    """A hash of an image's values."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def fact_of(image: NDArray[Any]) -> dict[str, Any]:
    """The facts of one image (C, H, W) as plain data."""
    flat = image.reshape(len(image), -1)
    return {
        "low": flat.min(axis=1).tolist(),
        "high": flat.max(axis=1).tolist(),
        "mean": flat.mean(axis=1, dtype=np.float64).tolist(),
        "variance": flat.var(axis=1, dtype=np.float64).tolist(),
        "digest": digest_of(image).hex(),
        "equal": all(np.array_equal(flat[0], other) for other in flat[1:]),
    }
