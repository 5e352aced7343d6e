"""What was understood of a task and its teacher, in words for a terminal and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_kd.core import percent, three_digits, whole

_LISTED = 8
"""Up to so many classes are counted one by one in a line; of more, the fewest and the most."""
_SPLITS = {"train": "train", "validation": "search-validation", "test": "test"}


def understood_rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and sentence of each line for people; a line stands for itself, so that it can be searched for.

    Args:
        document: The document, also one that a study has kept.
    """
    data = document["data"]
    rows = [(title, text) for title, text in data.get("rows") or _data_rows(data)]
    rows += [("left out", f"{each['count']}: {each['reason']}, such as {each['example']}") for each in data["left_out"]]
    rows += teacher_rows(document["teacher"])
    rows += [(title, document[title]) for title in ("space", "ships") if title in document]
    rows += [("warning", line) for line in document["warnings"]]
    return rows


def _data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of data whose reading has no lines of its own, as those of earlier versions: images with one class each."""
    names = data["class_names"]
    total = sum(sum(numbers) for numbers in data["counts"].values())
    shape = " x ".join(map(str, data["shape"]))
    span = f"{three_digits(data['low'])} to {three_digits(data['high'])}"
    return [
        ("data", f"{whole(total)} examples of {len(names)} classes in {data['place']}: {data['layout']}"),
        *(
            ("data", f"{_SPLITS[split]} {_counted(names, data['counts'][split])}")
            for split in _SPLITS
            if split in data["counts"]
        ),
        ("data", f"shape {shape}; stored as {data['stored']}, values {span}; {data['pixels']}"),
        *(("data", line) for line in data.get("told", ())),
    ]


def teacher_rows(teacher: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Those of the rows that tell of teachers.

    Args:
        teacher: The document's ``teacher``.
    """
    if teacher is None:
        return []
    rows = [] if teacher["members"] else [("teacher", f"{teacher['status']}: {teacher['training']}")]
    for number, each in enumerate(teacher["members"], start=1):
        title = "teacher" if len(teacher["members"]) == 1 else f"teacher {number}"
        told = each.get("rows") or (
            f"{each['form']}; {each['input']}",
            f"classes {each['classes']}; outputs are {each['outputs']}",
            _rightness(each),
        )
        rows += [(title, line) for line in told]
    return rows


def _rightness(reading: Mapping[str, Any]) -> str:
    better = reading["permuted"] > reading["correct"]
    order = f", {percent(reading['permuted'])} with its classes in the best order" if better else ""
    return (
        f"right on {percent(reading['correct'])} of {whole(reading['images'])} images of search-validation{order};"
        f" always the most frequent class: {percent(reading['chance'])}"
    )


def _counted(names: Sequence[str], numbers: Sequence[int]) -> str:
    counts = dict(zip(names, numbers, strict=True))
    total = whole(sum(counts.values()))
    if len(counts) <= _LISTED:
        return f"{total} ({', '.join(f'{name} {whole(number)}' for name, number in counts.items())})"
    fewest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return f"{total} (from {whole(counts[fewest])} of {fewest} to {whole(counts[most])} of {most})"
