"""YAML read as plain data: by the rules of YAML 1.2, at the speed of libyaml."""

from __future__ import annotations

from typing import Any


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
    import yaml  # here and not above: it takes a tenth of a second, which not every command needs

    from automl_kd.core.yaml_loader import Loader

    try:
        return yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise NotYAMLError(error.problem or error.context or "it cannot be read", line) from None
    except yaml.YAMLError as error:
        raise NotYAMLError(str(error).splitlines()[0]) from None
