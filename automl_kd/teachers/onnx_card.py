"""What an ONNX file states of the examples that it takes, by its input and in its metadata."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_kd.core import IMAGE_AXES, Input, UserError
from automl_kd.onnxio import Session
from automl_kd.tasks import Card, ImageFacts
from automl_kd.teachers.card import by_channel, named_outputs, sides

_NAMES = ("names", "class_names", "classes", "labels", "id2label", "label_names")
_GREY_OR_COLOUR = (1, 3)
# Values in [0, 1] to those of the range that ONNX's own metadata for images names: what is taken off, and the divisor.
_RANGES = {
    "NominalRange_0_255": (0.0, 1 / 255),
    "Normalized_0_1": (0.0, 1.0),
    "Normalized_1_1": (0.5, 0.5),
}


@dataclass(frozen=True)
class Layout:
    """How a file's input lays out an example.

    Attributes:
        last: Whether channels of images come last, (B, H, W, C).
        sizes: By axis, in the task's order: None where any size is taken.
        images: Whether the examples are images.
    """

    last: bool
    sizes: tuple[int | None, ...]
    images: bool

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether examples of this shape are taken."""
        return all(size in (None, need) for size, need in zip(self.sizes, shape, strict=True))


def layout_of(session: Session, own: Input) -> Layout:
    """As the task lays out its examples, but for images of which only the last axis can be one of channels.

    Args:
        session: The file.
        own: What the task's networks take.

    Raises:
        UserError: If it takes inputs of another number of axes.
    """
    stated = session.input_shape
    if len(stated) != len(own.shape):
        sizes = ", ".join("any" if size is None else str(size) for size in stated)
        raise UserError(f"{session.path} takes inputs of shape ({sizes}); the task has inputs of shape {own.shape}")
    if own.axes != IMAGE_AXES:
        return Layout(False, stated, images=False)
    counts = (*_GREY_OR_COLOUR, own.shape[0])
    if stated[2] in counts and stated[0] not in counts:
        return Layout(True, (stated[2], stated[0], stated[1]), images=True)
    return Layout(False, stated, images=True)


def onnx_card(session: Session, layout: Layout) -> Card:
    """What the file states: its input's sizes and type, and the metadata of Ultralytics, WinML and others."""
    return Card(
        place="its ONNX file",
        names=next(filter(None, (named_outputs(_value(session.metadata.get(key))) for key in _NAMES)), None),
        names_place="its ONNX file",
        examples=_image_facts(session, layout) if layout.images else None,
    )


def _image_facts(session: Session, layout: Layout) -> ImageFacts:
    channels, height, width = layout.sizes
    moments = _moments(session)
    remarks = ["channels last"] * layout.last
    if session.dtype == np.uint8:
        remarks.append("as whole numbers from 0 to 255")
    elif session.dtype == np.float16:
        remarks.append("in half precision")
    fixed = None if height is None or width is None else (height, width)
    return ImageFacts(
        size=fixed or sides(_value(session.metadata.get("imgsz"))),
        channels=channels,
        mean=None if moments is None else by_channel((moments[0],), channels or 3),
        std=None if moments is None else by_channel((moments[1],), channels or 3),
        remarks=tuple(remarks),
    )


def _moments(session: Session) -> tuple[float, float] | None:
    stated = _RANGES.get(session.metadata.get("Image.NominalPixelRange", ""))
    if stated is None and np.issubdtype(session.dtype, np.integer):
        return _RANGES["NominalRange_0_255"]
    if stated is None and session.metadata.get("author") == "Ultralytics":
        return _RANGES["Normalized_0_1"]  # all that it exports
    return stated


def _value(text: str | None) -> Any:
    """A value as JSON, as a literal of Python, or as words between commas or on lines; None where there is none."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return [word.strip() for word in text.strip().replace("\n", ",").split(",")]
