"""Recipes as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.errors import UserError
from automl_kd.files import sha256_of, write_text
from automl_kd.recipes._documents import parse_yaml, to_yaml, validate
from automl_kd.recipes._tree import is_hole
from automl_kd.recipes.schema import Recipe


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


def pin_code(recipe: Recipe) -> Recipe:
    """The recipe with the hashes of the files of the user's own losses, so that a replay runs the same code."""
    own = recipe.distill.losses.own
    if own is None:
        return recipe
    document = recipe.document()
    for name, part in own.items():
        document["distill"]["losses"]["own"][name]["sha256"] = sha256_of(Path(part.file).expanduser())
    return Recipe.model_validate(document)


def _first_hole(data: Any, path: str) -> str | None:
    if is_hole(data):
        return path
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = (_first_hole(child, f"{path}.{key}".lstrip(".")) for key, child in children)
    return next((hole for hole in found if hole), None)
