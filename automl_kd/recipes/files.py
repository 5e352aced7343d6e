"""Recipes as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, sha256_of, write_text
from automl_kd.recipes.documents import parse_yaml, to_yaml, validate
from automl_kd.recipes.model_space import custom_file
from automl_kd.recipes.schema import Recipe
from automl_kd.recipes.tree import is_hole


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file.

    Raises:
        UserError: With the file, the path in it, the value and what is allowed.
    """
    data = parse_yaml(path)
    hole = "search_epochs" if "search_epochs" in data else _first_hole(data, "")
    if hole:
        raise UserError(
            f"{path}: {hole}: this is a search space; a recipe has no holes (automl-kd space sample draws one)"
        )
    return validate(Recipe, data, str(path))


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as YAML, fields in the order of the schema."""
    write_text(path, f"# automl-kd distill {path.name} makes this student again.\n{to_yaml(recipe.document())}")


def pin_code(document: Any) -> Any:
    """A recipe or space, as plain data, with the hashes of the files of its custom losses and model spaces.

    A stopped run, a study or a replay then goes on with the code that it began with, or not at all.
    """
    if isinstance(document, list):
        return [pin_code(each) for each in document]
    if not isinstance(document, dict):
        return document
    pinned = {key: pin_code(value) for key, value in document.items()}
    path = _named_file(pinned)
    if "sha256" not in pinned and path is not None and path.is_file():  # a missing file is reported when it is needed
        pinned["sha256"] = sha256_of(path)
    return pinned


def custom_files(document: Any) -> list[Path]:
    """The files of custom losses and model spaces that a recipe or space, as plain data, names, each once."""
    return list(dict.fromkeys(_named_files(document)))


def _named_files(document: Any) -> Iterator[Path]:
    if isinstance(document, dict):
        if (path := _named_file(document)) is not None:
            yield path
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from _named_files(each)


def _named_file(part: dict[str, Any]) -> Path | None:
    if {"file", "function"} <= part.keys():
        return Path(str(part["file"])).expanduser()
    return custom_file(str(part.get("model"))) if part.get("family") == "nni" else None


def _first_hole(data: Any, path: str) -> str | None:
    if is_hole(data):
        return path
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = (_first_hole(child, f"{path}.{key}".lstrip(".")) for key, child in children)
    return next((hole for hole in found if hole), None)
