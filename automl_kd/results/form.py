"""What ships as its device keeps it and runs it: flash, what computes with floats, what is left to the host."""

from __future__ import annotations

from pydantic import Field

from automl_kd.results.base import Result


class Flash(Result):
    """Bytes of a student in the flash of its device."""

    weights: int = Field(description="Weights of what ships, as priced.")
    file: int = Field(description="The ONNX file that ships.")
    float_weights: int | None = Field(None, description="Weights without the stages of compress, in float32.")
    float_file: int | None = Field(None, description="The ONNX file without them.")
    limit: int | None = Field(None, description="What the device has, where its profile says it.")


class FloatOperators(Result):
    """Operators of one type that compute with floats in a quantised file."""

    operator: str = Field(description="Their type in ONNX: Softmax.")
    count: int = Field(description="How many.")
    layers: tuple[str, ...] = Field(description="Blocks of the student that they stand in.")
    kept: bool = Field(description="Whether the recipe keeps them so (keep_float); else nothing quantises them.")


class ShippedFile(Result):
    """The file that ships, on its device."""

    form: str | None = Field(
        None, description="In a word or two: int8, int8 (mixed), float32; None of earlier versions."
    )
    scored: bool = Field(
        False, description="Whether scores are those of the file, which computes with integers, and of no module."
    )
    flash: Flash = Field(description="What it takes there.")
    in_floats: tuple[FloatOperators, ...] | None = Field(
        description="What of a quantised file computes with floats; None where nothing is quantised."
    )
    on_host: str | None = Field(
        description="What of a compressed student the device's runtime leaves to its host, in words; None for nothing."
    )
    decided: str | None = Field(
        None, description="Which layers compute with floats and why, where keep_float: auto was decided, in words."
    )
    not_converted: str | None = Field(
        None,
        description="Why student.tflite, which the device loads, was not made here; None where it was, or never is.",
    )
