"""The files below a folder, links followed, with what is passed over counted by its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from automl_kd.core import UserError
from automl_kd.tasks.reading import LeftOut

HIDDEN = "hidden, or kept by the system"
_SYSTEM = frozenset({"__macosx", "@eadir", "lost+found", "$recycle.bin", "thumbs.db", "desktop.ini", "icon\r"})


@dataclass
class Tally:
    """Counts what is left out, by reason, with the first of each as its example.

    Args:
        root: The place of the data, from which examples are named.
    """

    root: Path
    _found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, reason: str, path: str, count: int = 1) -> None:
        """Count a file or folder."""
        before, example = self._found.get(reason) or (0, os.path.relpath(path, self.root))
        self._found[reason] = (before + count, example)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """All that was counted, the most first."""
        ordered = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(LeftOut(reason, count, example) for reason, (count, example) in ordered)


def sub_folders(folder: Path, tally: Tally) -> list[Path]:
    """The folders that lie directly in a folder, also behind links, in the order of their names."""
    return sorted(Path(entry.path) for entry in _entries(str(folder), tally) if entry.is_dir())


def files_in(folder: Path, tally: Tally) -> list[str]:
    """The files that lie directly in a folder, in the order of their names."""
    return sorted(entry.path for entry in _entries(str(folder), tally) if entry.is_file())


def files_below(folder: Path, tally: Tally) -> list[str]:
    """The files at any depth below a folder, ordered by the parts of their paths.

    Raises:
        UserError: If a folder cannot be read.
    """
    return sorted(_below(str(folder), tally, (os.path.realpath(folder),)), key=lambda path: path.split(os.sep))


def _below(folder: str, tally: Tally, above: tuple[str, ...]) -> Iterator[str]:
    for entry in _entries(folder, tally):
        if entry.is_file():
            yield entry.path
        elif entry.is_dir():
            real = os.path.realpath(entry.path)
            if any(Path(each).is_relative_to(real) for each in above):
                tally.add("a link back to a folder that it lies in", entry.path)
            else:
                yield from _below(entry.path, tally, (*above, real))
        else:
            reason = "a link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
            tally.add(reason, entry.path)


def _entries(folder: str, tally: Tally) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                    tally.add(HIDDEN, entry.path)
                else:
                    yield entry
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error}") from None
