"""A function's signature and docstring from the model that holds its options, so that these are written once."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pydantic import BaseModel

P = ParamSpec("P")
R = TypeVar("R")
_WIDTH = 100


def with_options(model: type[BaseModel]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Lets ``inspect.signature`` and ``help`` show a model's fields in place of a function's ``**options``.

    Args:
        model: Its fields. Those that the function has as parameters of its own stay where it has them.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        named = {each.name for each in own}
        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation)
            for name, field in model.model_fields.items()
            if name not in named
        ]
        first = [each for each in own if each.kind is not each.KEYWORD_ONLY]
        last = [each for each in own if each.kind is each.KEYWORD_ONLY]
        function.__signature__ = signature.replace(parameters=[*first, *options, *last])  # type: ignore[attr-defined]
        function.__doc__ = _with_arguments(inspect.cleandoc(function.__doc__ or ""), model)
        return function

    return decorate


def _with_arguments(text: str, model: type[BaseModel]) -> str:
    """A docstring with a section of arguments before that of what is returned."""
    lines = [
        textwrap.fill(f"{name}: {field.description}", _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
        for name, field in model.model_fields.items()
    ]
    before, returns, after = text.partition("Returns:")
    return "\n".join([f"{before}Args:", *lines, f"\n{returns}{after}"])
