"""The colour that stands behind what is transparent."""

from __future__ import annotations

from typing import Annotated

from PIL import ImageColor
from pydantic import AfterValidator, Field

Channel = Annotated[int, Field(ge=0, le=255)]


def rgb(colour: str | tuple[int, int, int]) -> tuple[int, int, int]:
    """Red, green and blue of a colour, each from 0 to 255.

    >>> rgb("navy")
    (0, 0, 128)

    Raises:
        ValueError: If it names none.
    """
    if not isinstance(colour, str):
        return colour
    red, green, blue = ImageColor.getcolor(colour, "RGB")  # type: ignore[misc]  # of RGB it is three
    return red, green, blue


def _known(colour: str | tuple[int, int, int]) -> str | tuple[int, int, int]:
    try:
        rgb(colour)
    except ValueError:
        raise ValueError(f"{colour!r} is no colour; write a name, such as white, #rrggbb or [r, g, b]") from None
    return colour


Colour = Annotated[str | tuple[Channel, Channel, Channel], AfterValidator(_known)]
"""A colour of a document: a name of CSS, ``#rrggbb``, or red, green and blue from 0 to 255."""
