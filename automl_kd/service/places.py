"""Which files of this machine somebody on the network may name: under the operator's roots, or sent before."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.core import UserError

UPLOAD = "upload:"
"""What begins the name of a file that was sent: ``upload:SHA256/my.yaml``."""
_UPLOAD = re.compile(rf"{UPLOAD}([0-9a-f]{{64}})(/.*)?")
_MOST_PARTS = 20_000
_ENDING = re.compile(r"\.(safetensors|pt2?|pth|bin|ckpt|pkl|onnx|npz|npy|csv|parquet|ya?ml|json|txt|zip|py(:\w*)?)$")


@dataclass(frozen=True)
class Places:
    """Which files somebody may name.

    Attributes:
        roots: The operator's folders.
        uploads: Where what this caller sent lies, each under its hash.
        hashes: What this caller has sent; nothing else under ``uploads`` may be named.
    """

    roots: tuple[Path, ...]
    uploads: Path
    hashes: frozenset[str]
    base: Path | None = None
    """From where relative paths lead; None for any of the roots."""

    def resolve(self, label: str, text: str) -> Path:
        """The file or folder that a text names.

        Args:
            label: What it is for, in an error.
            text: A path, or ``upload:SHA256`` with or without a path in it.

        Raises:
            UserError: If it lies elsewhere, or is not there; both are told alike.
        """
        sent = _UPLOAD.fullmatch(text)
        if sent is not None and sent[1] in self.hashes:
            folder = self.uploads / sent[1]
            found = _inside(folder, _only_file(folder) if sent[2] is None else folder / sent[2][1:])
        else:
            path = _expanded(text)
            found = next((each for root in self.roots if (each := _inside(root, path, self.base)) is not None), None)
        if found is None:
            raise UserError(
                f"{label} {text!r}: neither something that comes with automl-kd, nor something under a folder that this"
                f" service serves, nor something that you sent (POST /uploads, then {UPLOAD}SHA256/…)"
            )
        return found

    def placed(self, label: str, document: Any) -> Any:
        """A document whose texts that read like a path are whole paths of these places.

        Args:
            label: What the document is for, in an error.
            document: Plain data.

        Raises:
            UserError: If a text names a file elsewhere, or the document is too large.
        """
        return self._placed(label, document, itertools.count(1))

    def _placed(self, label: str, document: Any, parts: Iterator[int]) -> Any:
        if next(parts) > _MOST_PARTS:  # references of YAML can make much of a few lines
            raise UserError(f"{label}: the document has more than {_MOST_PARTS} parts")
        if isinstance(document, dict):
            return {key: self._placed(f"{label}.{key}", value, parts) for key, value in document.items()}
        if isinstance(document, list | tuple):
            return [self._placed(label, value, parts) for value in document]
        if isinstance(document, str) and reads_like_a_path(document):
            return str(self.resolve(label, document))
        return document


def beside(document: Path, folder: Path) -> Places:
    """The places of a document that was sent: the folder that was sent, from where the document lies."""
    return Places((folder,), folder, frozenset(), document.parent)


def reads_like_a_path(text: str) -> bool:
    """Whether a text may name a file: it has a separator, begins with a home folder, or ends as files do."""
    marked = any(mark in text for mark in (os.sep, "\\", "\0")) or text.startswith(("~", "..", UPLOAD))
    return marked or _ENDING.search(text.lower()) is not None


def _only_file(folder: Path) -> Path:
    """The one file of a folder, else the folder."""
    files = list(folder.iterdir()) if folder.is_dir() else []
    return files[0] if len(files) == 1 and files[0].is_file() else folder


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such user
        return Path(text)


def _inside(root: Path, path: Path, base: Path | None = None) -> Path | None:
    """A path below a root, links followed, None where it lies elsewhere or is not there."""
    try:
        whole = ((base or root) / path).resolve(strict=True)
        return whole if whole.is_relative_to(root.resolve(strict=True)) else None
    except (OSError, ValueError, RuntimeError):
        return None
