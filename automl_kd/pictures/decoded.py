"""The decoded pictures of a folder, kept under the cache; only new and changed files are opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError, cache_dir, locked
from automl_kd.pictures.crew import answers
from automl_kd.pictures.file_index import FileIndex
from automl_kd.pictures.header import Header
from automl_kd.pictures.making import Plan, deep_rules, make_store
from automl_kd.pictures.pictures import Pictures, Progress
from automl_kd.pictures.side import Size, chosen_size, kept_side
from automl_kd.pictures.store import PictureStore

_VERSION = 2  # of the rules by which pictures are decoded; another one decodes them anew
_FILES = 64  # of one request
_SAVED = 256  # requests after which headers are kept, should the process be killed
_CHECKED = 2**28  # bytes of a store up to which it is read whole to see whether it is sound
_SHOWN = 3


@dataclass(frozen=True)
class Decoded:
    """Pictures that were decoded.

    Attributes:
        store: Of all files.
        rows: The positions of those that could be read, in their order.
        size: Height and width that networks take.
        plan: How they were decoded.
    """

    store: PictureStore
    rows: NDArray[np.int64]
    size: Size
    plan: Plan


def decoded(pictures: Pictures, taught: int | None, progress: Progress) -> Decoded:
    """The decoded pictures: bytes where all files hold bytes; otherwise floats in which 255 is white.

    Args:
        pictures: The files.
        taught: The size that the teacher says it takes, for pictures of which nobody says another.
        progress: Told how far it is.

    Raises:
        UserError: If a file cannot be read, or the disk is full.
    """
    headers = _headers(pictures, progress)
    _refuse_headers(pictures, headers)
    read = [header for header in headers if header.error is None]
    sides = [header.shorter for header in read]
    size = chosen_size(pictures.size, taught, sides)
    rules = deep_rules(read)
    plan = Plan(kept_side(size.side, sides), "float32" if rules else "uint8", rules)
    return _stored(pictures, headers, size, plan, progress)


def decoded_like(other: Decoded, pictures: Pictures, progress: Progress) -> Decoded:
    """Pictures decoded as others were, so that both can stand in one batch.

    Args:
        other: The others.
        pictures: The files.
        progress: Told how far it is.

    Raises:
        UserError: As of :func:`decoded`; or if these are of another kind.
    """
    headers = _headers(pictures, progress)
    _refuse_headers(pictures, headers)
    known = other.store.said["depths"]
    for name, header in zip(pictures.names, headers, strict=True):
        if header.error is None and header.depth not in known:
            raise UserError(
                f"{pictures.file(name)}: holds {header.depth} {header.format}, and the labelled pictures are"
                f" {other.store.said['stored']}; store both alike, or leave it out"
            )
    return _stored(pictures, headers, other.size, other.plan, progress)


def _stored(pictures: Pictures, headers: Sequence[Header], size: Size, plan: Plan, progress: Progress) -> Decoded:
    path = cache_dir() / "images" / f"{_key(pictures, headers, size, plan)}.npy"
    with locked(path.with_suffix(".lock")):
        store = PictureStore.found(path)
        if store is None or (store.bytes <= _CHECKED and not store.is_sound()):
            path.unlink(missing_ok=True)
            make_store(path, pictures, size.side, headers, plan, progress)
            store = PictureStore.found(path)
            assert store is not None, "it was just made"
    damaged = store.said["damaged"]
    _refuse(pictures, damaged)
    rows = np.array([row for row, name in enumerate(pictures.names) if name not in damaged], np.int64)
    return Decoded(store, rows, size, plan)


def _key(pictures: Pictures, headers: Sequence[Header], size: Size, plan: Plan) -> str:
    document = {
        "version": _VERSION,
        "files": [[name, header.sha256] for name, header in zip(pictures.names, headers, strict=True)],
        "size": size.side,
        "channels": pictures.channels,
        "background": pictures.background,
        **plan.document(),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _headers(pictures: Pictures, progress: Progress) -> list[Header]:
    """The header of every file, from the index where it has not changed."""
    index = FileIndex(pictures.root)
    states = {name: index.state(name) for name in pictures.names}
    found = {name: header for name, state in states.items() if (header := index.known(name, state)) is not None}
    new = [name for name in states if name not in found]
    shares = [new[first : first + _FILES] for first in range(0, len(new), _FILES)]
    requests = [{"do": "headers", "files": [pictures.file(name) for name in share]} for share in shares]
    for done, (number, rows) in enumerate(answers(requests), start=1):
        found |= {name: Header(*row) for name, row in zip(shares[number], rows, strict=True)}
        progress(done / len(shares), f"looking at pictures, {min(done * _FILES, len(new)):,} of {len(new):,}")
        if done % _SAVED == 0:
            index.keep(found, states)
    if new:
        index.keep(found, states)
    return [found[name] for name in pictures.names]


def _refuse_headers(pictures: Pictures, headers: Sequence[Header]) -> None:
    damaged = {
        name: header.error for name, header in zip(pictures.names, headers, strict=True) if header.error is not None
    }
    _refuse(pictures, damaged)
    if len(damaged) == len(pictures.names):
        raise UserError(
            f"{pictures.root}: none of its {len(damaged)} pictures can be read: {_first(pictures, damaged)}"
        )


def _refuse(pictures: Pictures, damaged: Mapping[str, Any]) -> None:
    if damaged and not pictures.skip_damaged:
        raise UserError(
            f"{_first(pictures, damaged)}; mend or remove them, or leave them out with data.skip_damaged: true"
        )


def _first(pictures: Pictures, damaged: Mapping[str, Any]) -> str:
    (name, error), *others = damaged.items()
    named = ", ".join(each for each, _ in others[: _SHOWN - 1]) + (", …" if len(others) >= _SHOWN else "")
    more = f", nor can {len(others)} others of {len(pictures.names)} ({named})" if others else ""
    return f"{pictures.file(name)}: cannot be read as an image{more}: {error}"
