"""From stored values to values in [0, 1]: one rule for a whole data set, which its type and range decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTE = 255
_DEPTHS = (8, 10, 12, 14, 16)
_OVERSHOOT = 0.1  # of the range, by which resampled pictures leave it
_FEW_BITS = 31  # floats beyond 1 that stay below this are of no common range
_NARROW = 0.125
_REMEDY = "for a teacher with input mean and std, store pictures from 0 to 255 or from 0 to 1"


@dataclass(frozen=True)
class PixelRule:
    """Two stored values and what they mean; all others follow on a straight line.

    Attributes:
        black: The stored value that becomes 0.
        white: The stored value that becomes 1.
        words: The rule for people.
        odd: What is odd about the values, and the remedy; None where nothing is.
    """

    black: float
    white: float
    words: str
    odd: str | None = None

    def apply(self, values: NDArray[Any], white: float) -> NDArray[np.float32]:
        """Stored values as float32 in which ``white`` is white; computed in float64, one image at a time."""
        if (self.black, self.white) == (0.0, white):
            return values.astype(np.float32, copy=False)
        scaled = np.empty(values.shape, np.float32)
        for row, stored in zip(scaled, values, strict=True):
            row[...] = (stored.astype(np.float64) - self.black) * (white / (self.white - self.black))
        return scaled

    @property
    def of_bytes(self) -> bool:
        """Whether stored values mean what those of uint8 mean."""
        return (self.black, self.white) == (0.0, _BYTE)


_OF_BYTES = PixelRule(0, _BYTE, "divided by 255")


def pixel_rule(dtype: np.dtype[Any], low: float, high: float, *, stretch: bool = False) -> PixelRule:
    """The rule for a set of pictures.

    Args:
        dtype: Of the stored values: bool, integers or floats.
        low: The smallest value of the set.
        high: The largest.
        stretch: Whether values that fill little of their range are stretched to all of it; bytes never are.
    """
    rule = _by_type(dtype, low, high)
    share = (high - low) / (rule.white - rule.black)
    if rule.odd or not 0 < share < _NARROW:
        return rule
    said = f"values from {low:g} to {high:g} fill {100 * share:.2g} % of [{rule.black:g}, {rule.white:g}]"
    if stretch and dtype != np.uint8:
        return replace(_of_the_set(low, high), odd=f"{said}, and their own range was taken; {_REMEDY}")
    blind = "networks see their contrast, a teacher with input mean and std little of it; for one, stretch the values"
    return replace(rule, odd=f"{said}: {blind}")


def _by_type(dtype: np.dtype[Any], low: float, high: float) -> PixelRule:
    if dtype.kind == "b":
        return PixelRule(0, 1, "false is 0 and true is 1")
    if dtype == np.uint8:
        return _OF_BYTES
    return _of_floats(low, high) if dtype.kind == "f" else _of_integers(dtype, low, high)


def _of_floats(low: float, high: float) -> PixelRule:
    if low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        return PixelRule(0, 1, "as they are, floats in [0, 1]")
    for half in (0.5, 1.0):
        if low < 0 and -half <= low and high <= half:
            return PixelRule(-half, half, f"plus {half:g}, divided by {2 * half:g}: floats in [-{half:g}, {half:g}]")
    if low >= 0 and high <= _FEW_BITS:
        odd = f"values from {low:g} to {high:g} fill neither [0, 1] nor [0, 255], and {high:g} was taken for white"
        return PixelRule(0, high, f"divided by {high:g}, the largest value of all pictures", f"{odd}; {_REMEDY}")
    if low < -_OVERSHOOT * _BYTE or high <= _FEW_BITS:
        return _of_the_set(low, high)
    return _OF_BYTES if high <= _BYTE * (1 + _OVERSHOOT) else _of_depth(np.dtype(np.uint16), low, high)


def _of_integers(dtype: np.dtype[Any], low: float, high: float) -> PixelRule:
    if low < 0:
        return _of_signed(np.iinfo(dtype), low, high)
    if high <= 1:
        return PixelRule(0, 1, "as they are, 0 and 1")
    return _OF_BYTES if high <= _BYTE else _of_depth(dtype, low, high)


def _of_signed(limits: np.iinfo[Any], low: float, high: float) -> PixelRule:
    span = float(limits.max) - float(limits.min)
    if limits.bits == 8 or high - low > span / 2:
        words = f"plus {-limits.min}, divided by {span:g}, the range of int{limits.bits}"
        return PixelRule(float(limits.min), float(limits.max), words)
    return _of_the_set(low, high)


def _of_depth(dtype: np.dtype[Any], low: float, high: float) -> PixelRule:
    whites = [2**bits - 1 for bits in (*_DEPTHS, 15) if bits != 15 or dtype == np.int16]
    if dtype.kind in "iu" and high > np.iinfo(dtype).max // 4:
        whites.append(int(np.iinfo(dtype).max))
    for white in sorted(whites):
        if high <= white:
            return PixelRule(
                0, white, f"divided by {white}: the largest value, {high:g}, needs {white.bit_length()} bit"
            )
    return _of_the_set(low, high)


def _of_the_set(low: float, high: float) -> PixelRule:
    words = f"{low:g} becomes 0 and {high:g} becomes 1, the smallest and the largest value of all pictures"
    odd = f"values from {low:g} to {high:g} are of no common range, and their own was taken; {_REMEDY}"
    return PixelRule(low, high if high > low else low + 1, words, odd)
