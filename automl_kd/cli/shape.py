"""Shapes of inputs as users write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from automl_kd.core import UserError

InputShape = Annotated[
    str | None,
    typer.Option(
        metavar="SIZES",
        help="Sizes of one input behind its first axis, where the model leaves them open: 3,224,224 or 80,3000 or"
        " 16000. With several inputs, those of every input that they fit.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=SIZES",
        help="Whole shape of an input, batch included: audio=1x80x3000; tokens=128x1 of a sequence-first network;"
        " rate=scalar of a single number. Repeatable.",
    ),
]
_NAME = "input"  # of the one input that a network of a space has
_EXAMPLES = "for example 3,224,224 or 80,3000 or 16000"


def shape(text: str | None) -> tuple[int, ...] | None:
    """Sizes without the first axis, None where nothing was written.

    Raises:
        UserError: If they are no sizes.
    """
    if text is None:
        return None
    found = _sizes(text)
    if not found:
        raise UserError(f"--input-shape {text}: write sizes above zero without the batch, {_EXAMPLES}")
    return found


def shapes(words: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    """Whole shapes by the name of the input; a name may hold any character, since its sizes follow the last ``=``.

    Raises:
        UserError: If a word is no name with sizes, or names an input again.
    """
    found: dict[str, tuple[int, ...]] = {}
    for word in words or ():
        name, equals, text = word.rpartition("=")
        if not equals or not name:
            raise UserError(f"--input {word}: write NAME=SIZES, for example audio=1x80x3000")
        sizes = () if text in ("", "scalar") else _sizes(text)
        if sizes is None:
            raise UserError(
                f"--input {word}: {text!r} is no shape; write sizes above zero, batch included, for example"
                f" {name}=1x80x3000, or {name}=scalar for a single number"
            )
        if name in found:
            raise UserError(f"--input {word}: {name!r} has the shape {found[name]} already; give one for each input")
        found[name] = sizes
    return found


def of_space(text: str | None, words: Sequence[str] | None = None) -> tuple[int, ...] | None:
    """The sizes of one input of the networks of a space, None where nothing was written.

    Args:
        text: Of ``--input-shape``.
        words: Of ``--input``; these networks have one input, called ``input`` here.

    Raises:
        UserError: If they are no sizes, or those of several inputs.
    """
    if not words:
        return shape(text)
    named = shapes(words)
    whole = named.get(_NAME, ())
    if text is not None or len(named) > 1 or whole[:1] != (1,):
        raise UserError(
            f"--input {words[0]}: networks of a space have one input, a single example; write --input-shape SIZES or"
            f" --input {_NAME}=1xSIZES"
        )
    return whole[1:]


def _sizes(text: str) -> tuple[int, ...] | None:
    """Whole numbers above zero between commas or x; None for anything else."""
    parts = [part.strip() for part in re.split("[,xX]", text)]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        return None
    return tuple(map(int, parts))
