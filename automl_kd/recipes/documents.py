"""Documents on disk: read with the line of a mistake, validated with its path, written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from automl_kd.core import NotYAMLError, UserError, load_yaml, unknown

T = TypeVar("T")
_LISTS = ("list_type", "tuple_type")
"""Of errors: a list is missing."""


def parse_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds, as plain data.

    Raises:
        UserError: If the file is missing, is not YAML (with the line) or does not hold a mapping.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    data = parse_text(text, str(path))
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds {_kind(data)}; it should hold a mapping such as 'version: 1'")
    return data


def parse_text(text: str, source: str) -> Any:
    """YAML text as plain data.

    Raises:
        UserError: If the text is not YAML, with ``source`` and the line.
    """
    try:
        return load_yaml(text)
    except NotYAMLError as error:
        line = "" if error.line is None else f", line {error.line}"
        raise UserError(f"{source}{line}: not YAML: {error.problem}") from None


def validate(model: type[T] | TypeAdapter[T], data: Any, source: str) -> T:
    """Plain data as an instance of a pydantic model or type.

    Args:
        model: A pydantic model class, or a type adapter.
        data: Plain data, as parsed.
        source: Where the data came from, for the error.

    Raises:
        UserError: With the source, the path of the first mistake, its value, and what is allowed.
    """
    try:
        if isinstance(model, TypeAdapter):
            return model.validate_python(data)
        assert issubclass(model, BaseModel)
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{source}: {explain(error, data)}") from None


def explain(error: ValidationError, data: Any) -> str:
    """The first mistake in one line: path, value, what is allowed."""
    errors = error.errors(include_url=False)
    first = _most_telling(errors)
    path = _document_path(first["loc"], data, missing=first["type"] == "missing")
    message = first["msg"].removeprefix("Value error, ")
    where = f"{path}: " if path else ""
    if first["type"] == "missing":
        return f"{where}is missing"
    if first["type"] == "union_tag_invalid":
        tags = first["ctx"]["expected_tags"].replace("'", "").split(", ")
        key = first["ctx"]["discriminator"].strip("'")
        return f"{where}{unknown(key, first['ctx']['tag'], tags)}"
    if first["type"] == "union_tag_not_found":
        return f"{where}{first['ctx']['discriminator'].strip(chr(39))} is missing"
    if first["type"] in _LISTS:
        return f"{where}{_shown(first['input'])} is not allowed: {_as_list(first, errors)}"
    if first["type"] in ("unknown_field", "value_error"):
        return f"{where}{message}"
    return f"{where}{_shown(first['input'])} is not allowed: {message[0].lower()}{message[1:]}"


def to_yaml(document: Mapping[str, Any]) -> str:
    """Plain data as YAML in the order given; short lists and mappings of scalars on one line."""
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 110
    stream = io.StringIO()
    yaml.dump(dict(document), stream)
    return stream.getvalue()


def _most_telling(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    # A union reports every alternative it tried; the one that went deepest into the document is the one meant.
    return max(errors, key=lambda error: len(error["loc"]))


def _as_list(first: ErrorDetails, errors: Sequence[ErrorDetails]) -> str:
    """What would be right where a list is expected: the value as one, or the words that may stand there instead."""
    given = first["input"]
    example = f", such as [{given}]" if isinstance(given, str | int | float) else ""
    beside = [each["ctx"]["expected"] for each in errors if each["type"] == "literal_error" and _beside(each, first)]
    words = "".join(f", or {word}" for expected in beside for word in expected.replace("'", "").split(" or "))
    return f"write a list{example}{words}"


def _beside(one: ErrorDetails, other: ErrorDetails) -> bool:
    """Whether two errors are of alternatives for the same value: their places end with the tags of a union."""
    return one["loc"][:-1] == other["loc"][:-1]


def _document_path(location: Sequence[int | str], data: Any, *, missing: bool) -> str:
    """The location without the tags that pydantic adds for unions: only keys that the document has, or lacks."""
    kept: list[str] = []
    node = data
    for position, step in enumerate(location):
        in_mapping = isinstance(node, Mapping) and step in node
        in_list = isinstance(node, list | tuple) and isinstance(step, int) and step < len(node)
        if in_mapping or in_list:
            node = node[step]
        elif not missing or position < len(location) - 1 or not isinstance(node, Mapping):
            continue  # the tag of a union, not a key of the document
        kept.append(str(step))
    return ".".join(kept)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds: dict[type, str] = {list: "a list", str: "text"}
    return kinds.get(type(value), type(value).__name__)
