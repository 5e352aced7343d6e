"""A place of a document where one of several registered parts stands, told apart by the value of a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticKnownError, core_schema

from automl_kd.core import Registry
from automl_kd.recipes.part import Part


class Registered(Protocol):
    """What a registry holds that documents name: at least its part of the document."""

    @property
    def part(self) -> type[Part]:
        """The class of the part."""


class OneOf:
    """Marks a field that holds any part of a registry: ``Annotated[StudentPart, OneOf(FAMILIES, "family")]``.

    The registry is asked when a document is read, not when the field is declared, so that the part may be declared in
    a room above this one.

    Args:
        registry: The parts, by the value of the key.
        key: The key of the document that tells them apart.
    """

    def __init__(self, registry: Registry[Any], key: str) -> None:
        self._registry = registry
        self._key = key

    def read(self, value: Any) -> Part:
        """The part that plain data is; a part as it is.

        Raises:
            pydantic.ValidationError: If it does not fit.
        """
        if isinstance(value, Part):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        tag = value.get(self._key)
        if tag is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": f"'{self._key}'"})
        if tag not in self._registry:
            expected = ", ".join(f"'{name}'" for name in self._registry)
            told = {"discriminator": f"'{self._key}'", "tag": str(tag), "expected_tags": expected}
            raise PydanticKnownError("union_tag_invalid", told)
        registered: Registered = self._registry[tag]
        # The errors of a model that is read inside a validator keep their places.
        return registered.part.model_validate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        parts: list[Registered] = list(self._registry.values())
        return {"oneOf": [handler(each.part.__pydantic_core_schema__) for each in parts]}
