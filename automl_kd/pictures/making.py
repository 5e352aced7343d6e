"""Pictures are decoded into a store."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl_kd.core import UserError, check_room, replacing, write_text
from automl_kd.pictures.colour import rgb
from automl_kd.pictures.crew import answers
from automl_kd.pictures.draft import Draft
from automl_kd.pictures.header import Header
from automl_kd.pictures.pictures import Pictures, Progress
from automl_kd.pictures.pixels import PixelRule, pixel_rule
from automl_kd.pictures.row_facts import RowFacts, joined
from automl_kd.pictures.store import facts_file, said_file
from automl_kd.pictures.survey import Survey, summary

_FILES, _BYTES = 64, 2**24  # of one request at most


@dataclass(frozen=True)
class Plan:
    """How pictures are decoded.

    Attributes:
        side: Height and width of what is kept.
        dtype: Of what is kept.
        rules: From stored values of more than 8 bit to those that are kept, by their type.
    """

    side: int
    dtype: str
    rules: Mapping[str, PixelRule]

    def document(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"side": self.side, "dtype": self.dtype, "rules": self.bounds()}

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Black and white by type."""
        return {kind: (rule.black, rule.white) for kind, rule in self.rules.items()}


def deep_rules(headers: Sequence[Header]) -> dict[str, PixelRule]:
    """The rules of pictures of more than 8 bit: one for all pictures of a type."""
    ranges: dict[str, tuple[float, float]] = {}
    for header in headers:
        if header.error is None and header.depth != "uint8":
            _widen(ranges, header.depth, header.low, header.high)
    return {kind: pixel_rule(np.dtype(kind), low, high, stretch=True) for kind, (low, high) in ranges.items()}


def _widen(ranges: dict[str, tuple[float, float]], kind: str, low: float, high: float) -> None:
    before = ranges.get(kind, (low, high))
    ranges[kind] = (min(low, before[0]), max(high, before[1]))


def make_store(
    path: Path, pictures: Pictures, size: int, headers: Sequence[Header], plan: Plan, progress: Progress
) -> None:
    """Decode pictures into the store at a path; a call that is killed is gone on with by the next.

    Args:
        path: Of the store.
        pictures: The pictures.
        size: That networks take, for what is said of smaller ones.
        headers: Of each.
        plan: How they are decoded.
        progress: Told how far it is.

    Raises:
        UserError: If the disk has no room, or nothing can be made of the pictures.
    """
    shape = (len(headers), pictures.channels, plan.side, plan.side)
    draft = Draft(path, shape, plan.dtype)
    with _room(draft, path.parent):
        rows = _decoded(draft, headers, pictures, plan, progress)
        try:
            said = {"shape": shape, "dtype": plan.dtype, **_said(pictures, size, headers, rows, plan)}
        except UserError:  # of the pictures; one of a process that died leaves what is there to go on with
            draft.discard()
            raise
        _write_sidecars(path, joined((row["fact"] for row in rows), pictures.channels), said)
    draft.publish()


@contextmanager
def _room(draft: Draft, folder: Path) -> Iterator[None]:
    """A disk that is full becomes one line, and nothing is left on it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        draft.discard()
        raise UserError(f"{folder}: the disk is full; make room, or set AUTOML_KD_CACHE") from None


def _decoded(
    draft: Draft, headers: Sequence[Header], pictures: Pictures, plan: Plan, progress: Progress
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{}] * len(headers)

    def fill(first: int, said: Sequence[dict[str, Any]]) -> None:
        rows[first : first + len(said)] = said

    for first, said in draft.entries():
        fill(first, said)
    files = [
        pictures.file(name) if header.error is None else None
        for name, header in zip(pictures.names, headers, strict=True)
    ]
    requests = _requests(draft, rows, files, pictures, plan)
    firsts = [request.pop("first") for request in requests]
    done = sum(map(bool, rows))
    for number, said in answers(requests):
        draft.enter(firsts[number], said)
        fill(firsts[number], said)
        done += len(said)
        progress(done / len(rows), f"decoding pictures, {done:,} of {len(rows):,}")
    return rows


def _requests(
    draft: Draft, rows: Sequence[Mapping[str, Any]], files: Sequence[str | None], pictures: Pictures, plan: Plan
) -> list[dict[str, Any]]:
    """For :func:`write_rows`, of the rows that are still empty."""
    of_row = draft.offset(1) - draft.offset(0)
    share = max(1, min(_FILES, _BYTES // of_row))
    common = {
        "do": "rows",
        "draft": str(draft.file),
        "dtype": plan.dtype,
        "side": plan.side,
        "channels": pictures.channels,
        "background": rgb(pictures.background),
        "rules": plan.bounds(),
    }
    return [
        common | {"first": first, "offset": draft.offset(first), "files": files[first : first + share]}
        for first in range(0, len(rows), share)
        if not rows[first]
    ]


def _said(
    pictures: Pictures, size: int, headers: Sequence[Header], rows: Sequence[Mapping[str, Any]], plan: Plan
) -> dict[str, Any]:
    """What all pictures say together."""
    survey = Survey(size)
    ranges: dict[str, tuple[float, float]] = {}
    damaged = {}
    for name, label, header, row in zip(pictures.names, pictures.labels, headers, rows, strict=True):
        if header.error is None:
            survey.add(f"{header.depth} {header.format}", header.width, header.height, label)
        error = header.error or row.get("error")
        if error is not None:
            damaged[name] = error
            continue
        low, high = row.get("low", header.low), row.get("high", header.high)
        _widen(ranges, header.depth, low, high)
        survey.transparent += row["transparent"]
        survey.add_cut(high if row["cut"] else None)
        if row["several"]:
            survey.add_several(name)
    survey.refuse_dark(pictures.root)
    rules = {
        kind: plan.rules.get(kind) or pixel_rule(np.dtype(kind), *bounds, stretch=True)
        for kind, bounds in ranges.items()
    }
    return {
        "low": min((low for low, _ in ranges.values()), default=0.0),
        "high": max((high for _, high in ranges.values()), default=0.0),
        "depths": list(ranges),
        "damaged": damaged,
        **summary(survey, rules, pictures.classes, _in_words(pictures.background)),
    }


def _in_words(background: str | tuple[int, int, int]) -> str:
    return background if isinstance(background, str) else f"({', '.join(map(str, background))})"


def _write_sidecars(path: Path, facts: RowFacts, said: Mapping[str, Any]) -> None:
    # Before the array itself: a store whose array is there has them.
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **facts.arrays())
    check_room(path.parent, content.tell())
    with replacing(facts_file(path)) as file:
        file.write_bytes(content.getvalue())
    write_text(said_file(path), json.dumps(said))
