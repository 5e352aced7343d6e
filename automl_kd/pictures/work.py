"""What is done to some files at a time, in this process or in another: plain data in, plain data out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.pictures.decode import cut_to_bytes, depth_of, is_deep, is_transparent, read_bytes, read_deep
from automl_kd.pictures.formats import ERRORS, opened
from automl_kd.pictures.header import damage, headers_of
from automl_kd.pictures.pixels import PixelRule
from automl_kd.pictures.row_facts import fact_of

_WHITE = 255.0


def perform(request: Mapping[str, Any]) -> list[Any]:
    """Do what a request names, to every file of it.

    Args:
        request: ``do``, the name of a work, and its arguments.

    Returns:
        One answer a file.
    """
    arguments = dict(request)
    return _WORKS[arguments.pop("do")](**arguments)


def write_rows(
    files: Sequence[str | None],
    draft: str,
    offset: int,
    dtype: str,
    side: int,
    channels: int,
    background: Sequence[int],
    rules: Mapping[str, Sequence[float]],
) -> list[dict[str, Any]]:
    """Decode pictures into the rows of an array that follow each other, and sync them to disk.

    Args:
        files: The pictures; None where one is damaged, whose row stays empty.
        draft: The array's file.
        offset: Of the first row in it, in bytes.
        dtype: Of the array.
        side: Height and width of a row.
        channels: Of a row.
        background: The colour behind what is transparent.
        rules: Black and white of values of more than 8 bit, by their type.

    Returns:
        Of every picture its facts, its stored range and what is odd about it; of one that is damaged, why.

    Raises:
        OSError: If the disk is full.
    """
    array = np.zeros((len(files), channels, side, side), dtype)
    said = [
        _tried(file, row, (background[0], background[1], background[2]), rules)
        for file, row in zip(files, array, strict=True)
    ]
    with Path(draft).open("r+b") as stream:
        stream.seek(offset)
        stream.write(array.data)
        stream.flush()
        os.fdatasync(stream.fileno())
    return said


def _tried(
    file: str | None, row: NDArray[Any], background: tuple[int, int, int], rules: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    if file is None:
        return {"fact": fact_of(row)}
    try:
        return _decode(file, row, background, rules)
    except ERRORS as error:
        return {"error": damage(file, error), "fact": fact_of(row)}


def _decode(
    file: str, row: NDArray[Any], background: tuple[int, int, int], rules: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    channels, side = row.shape[:2]
    with opened(file) as image:
        depth, cut = depth_of(image), cut_to_bytes(image)
        said: dict[str, Any] = {"cut": cut, "transparent": False}
        if is_deep(depth):
            black, white = rules[depth.name]
            row[:] = PixelRule(black, white, "").apply(read_deep(image, side)[None], _WHITE)
        else:
            row[:], said["low"], said["high"] = read_bytes(image, side, channels, background)
            said["transparent"] = is_transparent(image)
        said["several"] = image.format != "MPO" and bool(getattr(image, "is_animated", False))
    return said | {"fact": fact_of(row)}


_WORKS: Mapping[str, Callable[..., list[Any]]] = MappingProxyType({"headers": headers_of, "rows": write_rows})
