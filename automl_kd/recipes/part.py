"""The base of every part of a document: unknown fields are refused with the nearest known ones."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """A part of a recipe. Frozen: a recipe that is priced, stored and hashed must not change under its readers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        unknown = [str(key) for key in data if key not in cls.model_fields]
        if unknown:
            near = difflib.get_close_matches(unknown[0], cls.model_fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(cls.model_fields)}"
            raise PydanticCustomError(
                "unknown_field", "unknown field '{field}'; {hint}", {"field": unknown[0], "hint": hint}
            )
        return data
