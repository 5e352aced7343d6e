"""What ``train.augment`` may name: the augmentations of all modalities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticKnownError, core_schema

from automl_kd.core import Registry


class Augmented(Protocol):
    """What a modality says of its augmentations."""

    @property
    def augmentations(self) -> Mapping[str, bool]:
        """By name, whether each mixes two examples to one."""


MODALITIES: Registry[Augmented] = Registry("modality", home="automl_kd.tasks.modalities", first=("image",))
"""The classes of the modalities by name."""


def mixing_among(names: Collection[str]) -> list[str]:
    """Those of some augmentations that mix two examples to one."""
    return [name for name in names if any(each.augmentations.get(name) for each in MODALITIES.values())]


class _AnyAugmentation:
    """Marks a field that names an augmentation of any modality; asked for when a document is read."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"enum": _names(), "type": "string"}

    def read(self, value: Any) -> str:
        """The name as it is.

        Raises:
            pydantic.ValidationError: If no modality has an augmentation of that name.
        """
        names = _names()
        if value not in names:
            *others, last = (repr(name) for name in names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
        return str(value)


def _names() -> list[str]:
    return list(dict.fromkeys(name for modality in MODALITIES.values() for name in modality.augmentations))


Augmentation = Annotated[str, _AnyAugmentation()]
"""The name of an augmentation."""
