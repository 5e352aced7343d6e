"""The form of a new search, made from the schema of its request."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automl_kd.service.pages.forms import Form
from automl_kd.service.refused import REFUSED
from automl_kd.studies.request import SearchRequest

Kind = Literal["text", "number", "lines", "choice", "mark"]
_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Device", ("hw",)),
    ("Budget", ("budget",)),
    ("Task", ("task", "metric")),
    ("Space", ("space",)),
    ("Limits", ("max_latency", "max_params", "max_memory")),
)
_MORE = "More options"
_LABELS = {
    "hw": "Device",
    "data": "Data",
    "max_latency": "Most latency",
    "max_params": "Most parameters",
    "max_memory": "Most memory",
    "max_disk": "Most disk",
    "pins": "Holes to fill",
    "study": "Name",
    "device": "Trained on",
    "workers": "Trainings at a time",
}
_HINTS = {"hw": "Device to search for, and how far off its predicted latencies are."}
_EXAMPLES = {"budget": "3m", "max_latency": "4ms", "max_params": "100k", "max_memory": "512KB", "metric": "macro_f1"}


@dataclass(frozen=True)
class Field:
    """A field of the form.

    Attributes:
        name: Of the request's field.
        label: For people.
        kind: How it is asked for.
        hint: What it means.
        required: Whether it must be given.
        choices: Value and words of each that there is; of a text, those that are suggested.
        example: What is shown where nothing is typed.
    """

    name: str
    label: str
    kind: Kind
    hint: str
    required: bool
    choices: Sequence[tuple[str, str]] = ()
    example: str = ""


@dataclass(frozen=True)
class Group:
    """Fields that belong together.

    Attributes:
        title: Their heading.
        fields: The fields.
        folded: Whether they are folded away at first.
    """

    title: str
    fields: tuple[Field, ...]
    folded: bool = False


@functools.cache
def _properties() -> dict[str, dict[str, Any]]:
    schema = SearchRequest.model_json_schema()
    return {
        name: {**each, "required": name in schema["required"]}
        for name, each in schema["properties"].items()
        if name not in REFUSED
    }


def groups(choices: Mapping[str, Sequence[Any]]) -> list[Group]:
    """The fields of the form by group.

    Args:
        choices: What some fields offer: pairs of a value and words, or values alone.
    """
    grouped = {name for _, names in _GROUPS for name in names}
    rest = tuple(name for name in _properties() if name not in grouped)
    found = [Group(title, tuple(_field(name, choices) for name in names)) for title, names in _GROUPS]
    return [*found, Group(_MORE, tuple(_field(name, choices) for name in rest), folded=True)]


def kept(form: Form) -> dict[str, str]:
    """What was typed, to be shown again."""
    return {name: text for name, text in form.typed().items() if name in _properties()}


def document(form: Form) -> dict[str, Any]:
    """The request that a form asks for; what was left empty has its default."""
    asked: dict[str, Any] = {}
    for name, schema in _properties().items():
        text = form.text(name)
        if text:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            asked[name] = lines if _kind(schema) == "lines" else text
    return asked


def typed(request: Mapping[str, Any]) -> dict[str, str]:
    """What would be typed into the form to ask for a request again."""
    found = {}
    for name, schema in _properties().items():
        value = request.get(name)
        if value not in (None, False, [], ()):
            found[name] = "\n".join(map(str, value)) if _kind(schema) == "lines" else str(value)
    return found


def field_of(told: str) -> str | None:
    """The field that an error is about, None where it does not say."""
    first = told.partition(" ")[0].rstrip(":,")
    return first if first in _properties() else _WORDS.get(first)


_WORDS = {"study": "study", "set": "pins", "hole": "pins", "objective": "objectives", "device": "device"}


def _field(name: str, choices: Mapping[str, Sequence[Any]]) -> Field:
    schema = _properties()[name]
    offered = choices.get(name) or schema.get("enum", ())
    pairs = [(each, each) if isinstance(each, str) else (each[0], f"{each[0]} — {each[1]}") for each in offered]
    kind: Kind = "choice" if name == "hw" or "enum" in schema else _kind(schema)
    default = schema.get("default")
    usual = "" if default in (None, False, []) else str(default)
    label = _LABELS.get(name, name.replace("_", " ").capitalize())
    hint = (
        schema["description"] if name != "hw" else "Device to search for, and how far off its predicted latencies are."
    )
    return Field(name, label, kind, hint, schema["required"], pairs, usual or _EXAMPLES.get(name, ""))


def _kind(schema: Mapping[str, Any]) -> Kind:
    kinds = {each.get("type") for each in (schema, *schema.get("anyOf", ()))}
    if "array" in kinds:
        return "lines"
    if "boolean" in kinds:
        return "mark"
    return "number" if "integer" in kinds and "string" not in kinds else "text"
