"""How a folder of pictures is laid out: classes, or splits with classes; and what it holds besides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from automl_kd.core import UserError, counted
from automl_kd.pictures import UNREAD, reason_to_leave_out
from automl_kd.tasks.reading import LeftOut
from automl_kd.tasks.roles import looks_like_split, roles
from automl_kd.tasks.walk import Tally, files_below, files_in, sub_folders

_SHOWN = 5
_SHOULD = "it should hold one for each of two or more classes"
_KNOWN = (
    "known layouts: CLASS/image.png; train/CLASS/image.png, likewise val/ and test/; a .csv or .parquet list of"
    " path,label[,split][,group]"
)


@dataclass(frozen=True)
class Labelled:
    """Files and the class of each."""

    files: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Which files of a folder are read.

    Attributes:
        words: How they lie there, for people.
        classes: The names of the classes' folders.
        parts: ``train`` and, where the folder has them, ``validation`` and ``test``.
        left_out: What is not read.
        warnings: What is odd.
    """

    words: str
    classes: tuple[str, ...]
    parts: dict[str, Labelled]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


def layout_of(root: Path) -> Layout:
    """Find the pictures below a folder.

    Sub-folders called ``train``, ``val``, ``test`` or the like, in which the classes' folders lie, are splits. Where
    one of them lacks classes, or a class pictures, the line of the error says what would be right.

    Raises:
        UserError: If the folder holds no classes, or contradicts itself.
    """
    if not root.is_dir():
        what = "is a file" if root.is_file() else "no such folder"
        raise UserError(f"{root}: {what}; it should hold one sub-folder of images for each class ({_KNOWN})")
    return _Lister(root).layout()


class _Lister:
    """Lists one folder, counting what it leaves out."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tally = Tally(root)
        self._warnings: list[str] = []

    def layout(self) -> Layout:
        folders = sub_folders(self._root, self._tally)
        splits = self._splits(folders)
        words, classes, parts = self._by_split(splits) if splits else self._by_class(folders)
        self._pass_over(self._root, folders, [folder for folder, _ in splits] if splits else folders)
        left_out = self._tally.left_out
        losses = (
            f"{counted(each.count, 'file')} left out: {each.reason}, such as {each.example}"
            for each in left_out
            if _is_loss(each)
        )
        return Layout(words, classes, parts, left_out, (*self._warnings, *losses))

    def _splits(self, folders: Sequence[Path]) -> list[tuple[Path, str]]:
        """The sub-folders that are splits, each with its role; none where the sub-folders are classes."""
        known = roles([folder.name for folder in folders])
        found = [(folder, known[folder.name]) for folder in folders if folder.name in known]
        with_classes = {role for folder, role in found if sub_folders(folder, Tally(folder))}
        if "train" not in with_classes or not (len(found) == len(folders) or len(with_classes) > 1):
            self._refuse_unlabelled(found, folders)
            return []
        self._refuse_two_of_a_role(found)
        return found

    def _refuse_unlabelled(self, found: Sequence[tuple[Path, str]], folders: Sequence[Path]) -> None:
        if len(found) == len(folders) > 1:
            names = ", ".join(folder.name for folder in folders)
            raise UserError(
                f"{self._root}: holds {names}, which are called like splits, and no train with a sub-folder of images"
                " for each class; lay it out as train/CLASS/image.png, or give classes other names"
            )

    def _refuse_two_of_a_role(self, found: Sequence[tuple[Path, str]]) -> None:
        first: dict[str, Path] = {}
        for folder, role in found:
            other = first.setdefault(role, folder)
            if other is not folder:
                raise UserError(
                    f"{self._root}: {other.name} and {folder.name} could both be the {role} split; keep one"
                )

    def _by_class(self, folders: Sequence[Path]) -> tuple[str, tuple[str, ...], dict[str, Labelled]]:
        self._check_classes(self._root, folders)
        names = tuple(folder.name for folder in folders)
        train = self._labelled(folders, names, needed=True)
        self._warn_of_inner_splits(folders)
        return "one sub-folder a class", names, {"train": train}

    def _by_split(self, splits: Sequence[tuple[Path, str]]) -> tuple[str, tuple[str, ...], dict[str, Labelled]]:
        folder_of = {role: folder for folder, role in splits}
        class_folders = sub_folders(folder_of["train"], self._tally)
        self._check_classes(folder_of["train"], class_folders)
        self._pass_over(folder_of["train"], class_folders, class_folders)
        names = tuple(folder.name for folder in class_folders)
        parts = {"train": self._labelled(class_folders, names, needed=True)}
        for role in ("validation", "test"):
            if role in folder_of:
                given = self._given(folder_of[role], role, names)
                parts |= {} if given is None else {role: given}
        drawn = [role for role in ("validation", "test") if role not in parts]
        words = f"{' '.join(f'{folder_of[role].name}/' for role in parts)} with one sub-folder a class"
        return words + (f"; {' and '.join(drawn)} drawn from train" if drawn else ""), names, parts

    def _given(self, folder: Path, role: str, names: Sequence[str]) -> Labelled | None:
        """The pictures of a split, None where it has none that are labelled."""
        folders = sub_folders(folder, self._tally)
        images = self._pass_over(folder, folders, folders)
        for each in folders:
            if each.name not in names and self._pictures(each, self._tally):
                raise UserError(
                    f"{folder}: holds images of the class {each.name!r}, of which train has none (its classes:"
                    f" {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}); add some to train, rename"
                    " the folder or remove it"
                )
        found = self._labelled([each for each in folders if each.name in names], names, needed=False)
        if found.files:
            return found
        self._warnings.append(
            f"{folder.name} holds {counted(images, 'image')} and none in the folder of a class: it is left out, and"
            f" {role} is drawn from train; give it one sub-folder a class"
        )
        return None

    def _check_classes(self, folder: Path, classes: Sequence[Path]) -> None:
        if len(classes) == 1:
            _refuse_nesting(folder, classes[0])
        if not classes and (images := len(self._pictures(folder, Tally(folder)))):
            raise UserError(
                f"{folder}: holds {counted(images, 'image')} and no sub-folders; put those of each class into its own"
                f" ({_KNOWN})"
            )
        if len(classes) < 2:
            raise UserError(f"{folder}: holds {len(classes)} sub-folders; {_SHOULD} ({_KNOWN})")

    def _labelled(self, folders: Iterable[Path], names: Sequence[str], needed: bool) -> Labelled:
        files: list[str] = []
        labels: list[int] = []
        for folder in folders:
            found = self._pictures(folder, self._tally)
            if needed and not found:
                raise UserError(f"{folder}: holds no images{_but(folder)}; add some, or remove the folder")
            files += found
            labels += [names.index(folder.name)] * len(found)
        return Labelled(tuple(files), tuple(labels))

    def _pictures(self, folder: Path, tally: Tally) -> list[str]:
        return pictures_of(files_below(folder, tally), tally)

    def _pass_over(self, folder: Path, folders: Sequence[Path], used: Sequence[Path]) -> int:
        """Count what lies beside the folders that are read; the number of pictures among it."""
        images = pictures_of(files_in(folder, Tally(folder)), self._tally)
        for image in images:
            self._tally.add("an image outside the folders of the classes", image)
        for other in set(folders) - set(used):
            self._tally.add("a folder that is called like no split", str(other))
            self._warnings.append(f"{other.name} lies beside the splits and is left out")
        return len(images)

    def _warn_of_inner_splits(self, folders: Sequence[Path]) -> None:
        inner = {each.name for folder in folders for each in sub_folders(folder, Tally(folder))}
        if inner and all(map(looks_like_split, inner)):
            self._warnings.append(
                f"the classes hold sub-folders {', '.join(sorted(inner))}, which are not taken for splits: lay them out"
                " as SPLIT/CLASS/image.png"
            )


def _is_loss(left_out: LeftOut) -> bool:
    return left_out.reason.startswith((UNREAD, "empty", "a link", "an image outside"))


def pictures_of(files: Iterable[str], tally: Tally) -> list[str]:
    """Those of some files that are pictures; the others are counted by the reason."""
    pictures = []
    for file in files:
        reason = reason_to_leave_out(file, _bytes(file))
        if reason is None:
            pictures.append(file)
        else:
            tally.add(reason, file)
    return pictures


def _bytes(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error}") from None


def _but(folder: Path) -> str:
    tally = Tally(folder)
    pictures_of(files_below(folder, tally), tally)
    return "".join(f"; left out: {counted(each.count, 'file')}, {each.reason}" for each in tally.left_out[:1])


def _refuse_nesting(outer: Path, inner: Path) -> None:
    below = sub_folders(inner, Tally(inner))
    while len(below) == 1:
        inner, below = below[0], sub_folders(below[0], Tally(inner))
    if below:
        names = ", ".join(folder.name for folder in below[:3]) + (", …" if len(below) > 3 else "")
        raise UserError(f"{outer}: holds one sub-folder; {inner} holds {names}: give that one")
