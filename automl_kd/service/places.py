"""Which files of this machine somebody on the network may name: under the operator's roots, or sent before."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.core import UserError

UPLOAD = "upload:"
"""What begins the name of a file that was sent: ``upload:SHA256/my.yaml``."""
_UPLOAD = re.compile(rf"{UPLOAD}([0-9a-f]{{64}})(/.*)?")
_ENDING = re.compile(r"\.(safetensors|pt2?|pth|bin|ckpt|pkl|onnx|npz|npy|csv|parquet|ya?ml|json|txt|zip|py(:\w*)?)$")


@dataclass(frozen=True)
class Places:
    """Which files somebody may name.

    Attributes:
        roots: The operator's folders.
        uploads: Where what was sent lies, each under its hash.
        hashes: What this caller has sent; nothing else under ``uploads`` may be named.
    """

    roots: tuple[Path, ...]
    uploads: Path
    hashes: frozenset[str]

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
            path = Path(text).expanduser()
            found = next((each for root in self.roots if (each := _inside(root, path)) is not None), None)
        if found is None:
            raise UserError(
                f"{label} {text!r}: neither something that comes with automl-kd, nor something under a folder that this"
                f" service serves, nor something that you sent (POST /uploads, then {UPLOAD}SHA256/…)"
            )
        return found

    def check(self, label: str, document: Any) -> None:
        """See to it that every text of a document that reads like a path names a file of these places.

        Args:
            label: What the document is for, in an error.
            document: Plain data.

        Raises:
            UserError: If one does not.
        """
        if isinstance(document, dict):
            for key, value in document.items():
                self.check(f"{label}.{key}", value)
        elif isinstance(document, list | tuple):
            for value in document:
                self.check(label, value)
        elif isinstance(document, str) and reads_like_a_path(document):
            self.resolve(label, document)


def only(folder: Path) -> Places:
    """The places of a document that was sent: its own folder."""
    return Places((folder,), folder, frozenset())


def reads_like_a_path(text: str) -> bool:
    """Whether a text may name a file: it has a separator, begins with a home folder, or ends as files do."""
    marked = any(mark in text for mark in (os.sep, "\\", "\0")) or text.startswith(("~", "..", UPLOAD))
    return marked or _ENDING.search(text.lower()) is not None


def _only_file(folder: Path) -> Path:
    """The one file of a folder, else the folder."""
    files = list(folder.iterdir()) if folder.is_dir() else []
    return files[0] if len(files) == 1 and files[0].is_file() else folder


def _inside(root: Path, path: Path) -> Path | None:
    """A path below a root, links followed, None where it lies elsewhere or is not there."""
    try:
        whole = (root / path).resolve(strict=True)
        return whole if whole.is_relative_to(root.resolve(strict=True)) else None
    except (OSError, ValueError, RuntimeError):
        return None
