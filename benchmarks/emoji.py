"""Emoji pictures of four artists as tasks: real pictures of 64 pixels in nine categories, with few or many labels.

The pictures are in npm's packages emoji-datasource-apple, -google, -twitter and -facebook 16.0.0: ``npm pack`` each,
and unpack it as ``FOLDER/apple``, … An emoji by another artist is nearly a copy, so that splits are made by emoji, not
by picture.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from automl_kd.core import write_text
from automl_kd.recipes import to_yaml

ARTISTS = ("apple", "facebook", "google", "twitter")
_TEST, _VALIDATION = 0.2, 0.15
_LEFT_OUT = "Component"


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        file: Its path.
        category: What it shows, of nine kinds.
        emoji: Which emoji it is, the same for all artists.
    """

    file: Path
    category: str
    emoji: str

    @property
    def split(self) -> str:
        """The split of its emoji, which nothing but its name decides."""
        place = _uniform(self.emoji, "split")
        return "test" if place < _TEST else "validation" if place < _TEST + _VALIDATION else "train"


def pictures(packages: Path) -> list[Picture]:
    """All pictures of the unpacked packages, in an order of their own.

    Args:
        packages: A folder with one of ``ARTISTS`` each.
    """
    return sorted((each for artist in ARTISTS for each in _of(packages / artist, artist)), key=lambda each: each.file)


def write_task(
    packages: Path, folder: Path, labels: int | None, *, size: int, teacher: object = None, unlabelled: bool = False
) -> Path:
    """Write a task of emoji, and return its file.

    Args:
        packages: The unpacked packages.
        folder: Where to write it; the pictures are linked, not copied.
        labels: Training pictures that have one, the same ones among more; None for all.
        size: Height and width.
        teacher: The teacher of the task file, as plain data.
        unlabelled: Whether the training pictures without a label are there as unlabelled ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    linked = folder / "pictures"
    if not linked.exists():
        os.symlink(packages.resolve(), linked)
    every = pictures(packages)
    train = [each for each in every if each.split == "train"]
    train.sort(key=lambda each: _uniform(_linked(each, packages), "label"))
    labelled, rest = train[:labels], train[len(train[:labels]) :]
    others = [each for each in every if each.split != "train"]
    name = f"emoji-{labels or 'all'}{'-unlabelled' if unlabelled else ''}-{size}"
    _write_list(folder / f"{name}.csv", packages, (*labelled, *others))
    data: dict[str, object] = {"kind": "csv", "path": f"{name}.csv", "image": "path", "label": "label"}
    data |= {"split": "split", "group": "group", "size": size}
    if unlabelled:
        write_text(folder / f"{name}-rest.csv", "path\n" + "".join(f"{_linked(each, packages)}\n" for each in rest))
        data["unlabelled"] = f"{name}-rest.csv"
    document: dict[str, object] = {"version": 1, "name": name, "data": data}
    write_text(folder / f"{name}.yaml", to_yaml(document | ({} if teacher is None else {"teacher": teacher})))
    return folder / f"{name}.yaml"


def _of(package: Path, artist: str) -> Iterator[Picture]:
    inner = package / "package" if (package / "package").is_dir() else package
    for each in json.loads((inner / "emoji.json").read_text(encoding="utf-8")):
        file = inner / "img" / artist / "64" / each["image"]
        if each["category"] != _LEFT_OUT and each.get(f"has_img_{artist}") and file.is_file():
            yield Picture(file, each["category"], each["unified"])


def _write_list(path: Path, packages: Path, chosen: Sequence[Picture]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split", "group"))
        rows.writerows((_linked(each, packages), each.category, each.split, each.emoji) for each in chosen)


def _linked(picture: Picture, packages: Path) -> str:
    return str(Path("pictures") / picture.file.relative_to(packages))


def _uniform(text: str, purpose: str) -> float:
    """A number in [0, 1) that a text decides."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {text}".encode()).digest()[:6], "big") / 2**48
