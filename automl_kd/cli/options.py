"""Options of the command line from the fields of a model, so that names, defaults and help are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from automl_kd.studies.request import SearchRequest

Verb = Callable[..., None]


def option(name: str) -> Any:
    """The option of a search's field, for a verb that shares it."""
    return _option(name, SearchRequest.model_fields[name])


def with_fields(model: type[BaseModel]) -> Callable[[Verb], Verb]:
    """Gives a verb an option for every field of a model, before those of its own.

    The verb takes the fields as ``**options``.
    """

    def decorate(verb: Verb) -> Verb:
        own = inspect.signature(verb, eval_str=True).parameters.values()
        parameters = [*_parameters(model), *(each for each in own if each.kind is not each.VAR_KEYWORD)]
        verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        verb.__annotations__ = {each.name: each.annotation for each in parameters}
        return verb

    return decorate


def _parameters(model: type[BaseModel]) -> Iterator[inspect.Parameter]:
    for name, field in model.model_fields.items():
        annotation = Annotated[_kind(field.annotation), _option(name, field)]  # type: ignore[valid-type]
        default = inspect.Parameter.empty if field.is_required() else field.default
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(name: str, field: FieldInfo) -> Any:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    flag, metavar, text = extra.get("flag"), extra.get("metavar"), field.description or ""
    if get_origin(field.annotation) is tuple:
        text = f"{text.removesuffix('.')}; repeatable."
    return typer.Option(
        str(flag or f"--{name.replace('_', '-')}"), metavar=None if metavar is None else str(metavar), help=text
    )


def _kind(annotation: Any) -> Any:
    """What the command line reads for a field's type; a quantity or a choice is text, which the model checks."""
    members = get_args(annotation)
    if get_origin(annotation) is tuple:
        return list[members[0]]  # type: ignore[valid-type]
    if get_origin(annotation) is Literal:
        return str
    if not members:
        return annotation
    kinds = [each for each in members if each is not NoneType]
    kind = kinds[0] if len(kinds) == 1 else str
    return kind | None if NoneType in members else kind
