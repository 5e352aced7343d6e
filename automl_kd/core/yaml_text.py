"""YAML read as plain data: by the rules of YAML 1.2, at the speed of libyaml."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_MOST_VALUES = 1_000_000
_DEEPEST = 200
_MARKS = ("[", "{", "- ", "? ")
"""What may open a level on the line that it stands in; elsewhere a level is indented."""
_MANY_MARKS = 1000
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"


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
        NotYAMLError: If it is none, holds more than one document, names a key twice, tags a value otherwise, or has no
            end by its aliases.
    """
    import yaml  # here and not above: it takes a tenth of a second, which not every command needs

    from automl_kd.core.yaml_loader import Loader

    try:
        if _may_be_deep(text) and _is_deep(yaml.parse(text, Loader=Loader)):
            raise NotYAMLError(_TOO_DEEP)  # the loader would overrun its stack, and end the process
        data = yaml.load(text, Loader=Loader)
    except RecursionError:
        raise NotYAMLError(_TOO_DEEP) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise NotYAMLError(error.problem or error.context or "it cannot be read", line) from None
    except yaml.YAMLError as error:
        raise NotYAMLError(str(error).splitlines()[0]) from None
    _refuse_endless(data)
    return data


def _may_be_deep(text: str) -> bool:
    """Whether a document may have so many levels that it is worth counting them, which takes as long as reading it."""
    marks = sum(map(text.count, _MARKS))
    return marks > _MANY_MARKS or f"\n{' ' * _DEEPEST}" in text


def _is_deep(events: Iterable[Any]) -> bool:
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > _DEEPEST:
            return True
    return False


def _refuse_endless(data: Any) -> None:
    """See to it that aliases make no document that holds itself, or is far larger than its text.

    Raises:
        NotYAMLError: If they do.
    """
    left, waiting = _MOST_VALUES, [data]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise NotYAMLError(f"it holds itself, or more than {_MOST_VALUES} values, by its aliases")
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
