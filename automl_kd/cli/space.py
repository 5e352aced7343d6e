"""``automl-kd space``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet, table
from automl_kd.core import DEFAULT_STORAGE, whole

Name = Annotated[str, typer.Argument(help="A space by name or path.")]
Pins = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Fill a hole; repeatable.")]


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="space", help="What can be searched.", no_args_is_help=True)
    group.command("list")(list_spaces)
    group.command("show")(show)
    group.command("sample")(sample)
    return group


def list_spaces(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The spaces that come with the project, and the user's own."""
    with quiet(json):
        from automl_kd.recipes import describe_space, space_names

        rows = [[name, describe_space(name)] for name in space_names()]
    document = {"spaces": [{"name": name, "description": text} for name, text in rows]}
    answer(document, table(rows, ["space", "what it is"]), json)


def show(
    name: Name,
    pins: Pins = None,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """A space's holes and its size."""
    with quiet(json):
        from automl_kd.recipes import load_space

        space = load_space(name, pins or (), allow_code=allow_code)
    rows = [[hole.name, hole.describe()] for hole in space.holes]
    document = {
        "space": name,
        "description": space.description,
        "search_epochs": space.search_epochs,
        "architectures": space.size("student"),
        "recipes": space.size(),
        "holes": [{"name": hole, "values": values} for hole, values in rows],
        "document": space.document,
    }
    head = f"{name}: {space.description}\n{whole(space.size('student'))} student architectures, {len(rows)} holes"
    answer(document, f"{head}\n\n{table(rows, ['hole', 'values'])}", json)


def sample(
    name: Name,
    pins: Pins = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """A recipe drawn from a space, as YAML."""
    with quiet(json):
        import random

        from automl_kd.recipes import load_space, to_yaml

        recipe = load_space(name, pins or (), allow_code=allow_code).sample(random.Random(seed))
    answer(recipe.document(), to_yaml(recipe.document()).rstrip(), json)
