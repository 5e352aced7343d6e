"""A file of the user's own that a recipe names: it runs only where it may, and only as it was pinned."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from automl_kd.errors import UserError
from automl_kd.files import sha256_of


def checked_file(
    file: str, sha256: str | None, *, allow_code: bool, asked_by: str, file_field: str, hash_field: str
) -> Path:
    """The file, if it may run.

    Args:
        file: Its path, as the recipe says.
        sha256: What it was pinned to, None where it was not.
        allow_code: Whether the user said that the recipe's code may run.
        asked_by: Path in the recipe of what needs the file.
        file_field: Path in the recipe of its path.
        hash_field: Path in the recipe of its hash.

    Raises:
        UserError: If code may not run, or the file is missing or changed.
    """
    path = Path(file).expanduser()
    if not allow_code:
        raise UserError(f"{asked_by}: runs the code of {file}: look at it, then allow it with --allow-code")
    if not path.is_file():
        raise UserError(f"{file_field}: {file}: no such file")
    if sha256 is not None and sha256 != sha256_of(path):
        raise UserError(f"{hash_field}: {file} changed since the recipe was made; restore it, or remove the hash")
    return path


def run_file(path: Path, file_field: str) -> ModuleType:
    """Run a file that was checked, and give it as a module.

    Raises:
        UserError: If it is no Python, or fails.
    """
    spec = importlib.util.spec_from_file_location(f"automl_kd_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{file_field}: {path} is no Python file; its name should end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file does wrong
        raise UserError(f"{file_field}: {path} fails: {type(error).__name__}: {error}") from None
    return module
