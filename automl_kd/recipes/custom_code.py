"""Custom code: a file of the user's that a recipe names. It runs only where allowed, and only as it was pinned."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from automl_kd.core import UserError, cache_dir, replacing, sha256_of


def checked_file(
    file: str, sha256: str | None, *, allow_code: bool, asked_by: str, file_field: str, hash_field: str
) -> Path:
    """The path of a file that may run: as the recipe says, or of the copy that :func:`keep_copy` made.

    Args:
        file: Its path, as the recipe says.
        sha256: The hash that it was pinned to, None where it was not.
        allow_code: Whether the user allowed code that the recipe names to run.
        asked_by: The field of the recipe that needs the file.
        file_field: The field that holds its path.
        hash_field: The field that holds its hash.

    Raises:
        UserError: If code may not run, or the file is missing or changed.
    """
    path = Path(file).expanduser()
    if not allow_code:
        raise UserError(f"{asked_by}: runs the code of {file}: look at it, then allow it with --allow-code")
    here = path.is_file()
    if here and sha256 in (None, sha256_of(path)):
        return path
    if sha256 is not None and (copy := _copy(sha256, path.name)).is_file() and sha256_of(copy) == sha256:
        return copy
    if not here:
        raise UserError(f"{file_field}: {file}: no such file")
    raise UserError(f"{hash_field}: {file} changed since the recipe was made; restore it, or remove the hash")


def keep_copy(path: Path) -> None:
    """Keep a copy of a file by its hash, because a recipe of another machine names a path that may not exist here."""
    with replacing(_copy(sha256_of(path), path.name)) as draft:
        draft.write_bytes(path.read_bytes())


def _copy(sha256: str, name: str) -> Path:
    return cache_dir() / "code" / sha256 / name


def run_file(path: Path, file_field: str) -> ModuleType:
    """The module that a checked file makes when it runs.

    Raises:
        UserError: If it is no Python file, or fails.
    """
    spec = importlib.util.spec_from_file_location(f"automl_kd_custom_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{file_field}: {path} is no Python file; its name should end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file does wrong
        raise UserError(f"{file_field}: {path} fails: {type(error).__name__}: {error}") from None
    return module
