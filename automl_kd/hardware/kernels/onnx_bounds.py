"""Operators whose results are as large as values decide: the most that they can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automl_kd.hardware.kernels.graph import Shape

Content = Any
"""An operand's values where they are known, or ``None``."""


def largest(kind: str, attributes: Mapping[str, Any], sizes: Sequence[Shape], known: Sequence[Content]) -> list[Shape]:
    """Shapes of the results at their largest; empty where an operator is none of these.

    Args:
        kind: Type of the operator.
        attributes: Of the node.
        sizes: Shapes of its operands.
        known: Their values.
    """
    rule = _RULES.get(kind)
    return [] if rule is None or not sizes else rule(attributes, sizes, known)


def _nonzero(_: Mapping[str, Any], sizes: Sequence[Shape], __: Sequence[Content]) -> list[Shape]:
    return [(len(sizes[0]), math.prod(sizes[0]))]


def _selected(attributes: Mapping[str, Any], sizes: Sequence[Shape], _: Sequence[Content]) -> list[Shape]:
    """Compress: every slice, or every element without an axis."""
    return [sizes[0] if "axis" in attributes else (math.prod(sizes[0]),)]


def _distinct(attributes: Mapping[str, Any], sizes: Sequence[Shape], _: Sequence[Content]) -> list[Shape]:
    axis = attributes.get("axis")
    count = math.prod(sizes[0]) if axis is None else sizes[0][axis]
    return [sizes[0] if axis is not None else (count,), (count,), (math.prod(sizes[0]),), (count,)]


def _boxes(_: Mapping[str, Any], sizes: Sequence[Shape], known: Sequence[Content]) -> list[Shape]:
    """NonMaxSuppression: every box of every class, or as many of them as are asked for."""
    batch, classes, boxes = sizes[1]
    asked = known[2] if len(known) > 2 else None
    each = boxes if asked is None else min(boxes, int(asked.reshape(-1)[0]))
    return [(batch * classes * max(1, each), 3)]


def _ranked(attributes: Mapping[str, Any], sizes: Sequence[Shape], _: Sequence[Content]) -> list[Shape]:
    """TopK: the whole axis."""
    return [sizes[0], sizes[0]]


_RULES: Mapping[str, Callable[[Mapping[str, Any], Sequence[Shape], Sequence[Content]], list[Shape]]] = {
    "NonZero": _nonzero,
    "Compress": _selected,
    "Unique": _distinct,
    "NonMaxSuppression": _boxes,
    "TopK": _ranked,
}
