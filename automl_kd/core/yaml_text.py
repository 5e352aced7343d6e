"""YAML read as plain data: by the rules of YAML 1.2, at the speed of libyaml."""

from __future__ import annotations

import re
from typing import Any

import yaml


class NotYAMLError(ValueError):
    """Text that is not YAML.

    Attributes:
        line: Where, from 1; None where that is not known.
        problem: What is wrong there.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.problem, self.line = problem, line


def load_yaml(text: str) -> Any:
    """The data of a YAML document: mappings, lists, strings, numbers, booleans, dates and None.

    PyYAML reads YAML 1.1, in which ``1e-3`` and ``on`` are not what they look like; here they are a number and a word.

    >>> load_yaml("{lr: 1e-3, state: on}")
    {'lr': 0.001, 'state': 'on'}

    Raises:
        NotYAMLError: If it is none, holds more than one document, names a key twice, or tags a value otherwise.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise NotYAMLError(error.problem or error.context or "it cannot be read", line) from None
    except yaml.YAMLError as error:
        raise NotYAMLError(str(error).splitlines()[0]) from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads the scalars of YAML 1.2's core schema, dates, 0b101 and 1_000; refuses a key that stands twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class has it

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if (key.tag, key.value) in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"found duplicate key {key.value!r}", key.start_mark
                        )
                    seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def construct_yaml_map(self, node: Any) -> Any:
        data: dict[Any, Any] = {}
        yield data
        data.update(self.construct_mapping(node))

    def construct_integer(self, node: Any) -> int:
        text: str = self.construct_scalar(node)
        return int(text, 0) if text[:2] in ("0b", "0o", "0x") else int(text)

    def construct_float(self, node: Any) -> float:
        return float(self.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+(_[0-9]+)*|0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789"),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)
