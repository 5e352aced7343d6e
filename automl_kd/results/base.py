"""The base of every part of a result: frozen, and honest about what is called accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


def defined(values: Mapping[str, float | None]) -> dict[str, float]:
    """Values of metrics without those that the examples do not define."""
    return {name: value for name, value in values.items() if value is not None and not math.isnan(value)}


Metrics = Annotated[dict[str, float], BeforeValidator(defined)]
"""Values by the name of a metric, each in its own unit and sign.

A metric that the examples do not define, as without one of a class, is left out: JSON knows no such number.
"""
Error = Annotated[
    float | None, BeforeValidator(lambda value: None if value is not None and math.isnan(value) else value)
]
"""A standard error in the metric's unit; None where it is not known."""
ACCURACY = "accuracy"


class Result(BaseModel):
    """A part of what a study found.

    Fields named after accuracy hold the accuracy or, where a problem has none, are absent: never another metric. What a
    search compares by is the score.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    accuracies: ClassVar[Mapping[str, str]] = {}
    """Fields named after accuracy, each with the field of metrics that it is one of."""

    @model_serializer(mode="wrap")
    def _without_false_accuracies(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = dump(self)
        for name, metrics in self.accuracies.items():
            measured: Mapping[str, float] | None = getattr(self, metrics)
            if measured and ACCURACY not in measured:
                document.pop(name, None)
        return document

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the fields; that of the serializer above would be any object."""
        schema = handler(_unserialized(core_schema))
        described = handler.resolve_ref_schema(schema)
        if "required" in described:
            described["required"] = [name for name in described["required"] if name not in cls.accuracies]
        return schema


def _unserialized(schema: CoreSchema) -> CoreSchema:
    """The schema of a model as if it had no serializer of its own."""
    return {key: value for key, value in schema.items() if key != "serialization"}
