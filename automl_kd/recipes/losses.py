"""The recipe's ``distill.losses``: what all losses share. Each is one file of ``automl_kd.distillation.losses``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from automl_kd.core import Registry
from automl_kd.recipes.one_of import Registered
from automl_kd.recipes.part import Part
from automl_kd.recipes.schedules import Schedule, Weight

if TYPE_CHECKING:
    from automl_kd.recipes.schema import Recipe

KEY_OF_0_1 = "own"
"""The key of ``custom`` in documents of version 0.1."""

_TASK, _CUSTOM = "task", "custom"
# The losses of version 0.1 in the order in which a step adds them up, because the last bits of a sum hang on it. A
# loss that is added follows these.
_FIRST = (
    "task kd dkd dist logit_standardization ce_soft hint attention_transfer similarity_preserving"
    " correlation_congruence correlation_congruence_adjacent vid rkd_distance rkd_angle pkt activation_boundary"
    " factor_transfer fsp nst crd crd_inbatch review_hcl simkd srrl channel_wise pkd ickd gram gradient_matching mmd"
    " tinybert_hidden tinybert_attention self_distillation mutual"
)

Dimension = Annotated[int, Field(ge=1, le=65_536)]


class RegisteredLoss(Registered, Protocol):
    """What this room asks of a registered loss."""

    @property
    def needs_teacher(self) -> bool:
        """Whether it needs a teacher."""

    def reads_labels(self, part: Any) -> bool:
        """Whether it, by its part of the recipe, needs labels."""


LOSSES: Registry[RegisteredLoss] = Registry("loss", home="automl_kd.distillation.losses", first=tuple(_FIRST.split()))
"""The losses by their names under ``distill.losses``."""


class Loss(Part):
    """A loss: its ``weight`` in the units of ``distill.balance``, and the shares of a run between which it counts."""

    weight: Weight | Schedule
    after: Annotated[float, Field(ge=0, lt=1)] | None = None
    until: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def inactive(self) -> bool:
        """Whether its weight is 0 throughout the run."""
        return self.weight == 0 or (isinstance(self.weight, Schedule) and self.weight.start == self.weight.end == 0)

    def check(self, recipe: Recipe) -> None:
        """See to it that the rest of a recipe has what this loss needs.

        Raises:
            ValueError: If it does not.
        """

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.after is not None and self.until is not None and self.after >= self.until:
            raise ValueError(f"after {self.after:g} must come before until {self.until:g}")
        return self


class StagePair(Part):
    """A student's stage or submodule and the teacher's that it is compared with, by path."""

    student: str
    teacher: str


class FeatureLoss(Loss):
    """A loss between features, at the student's stages that ``at`` names: by default its last.

    A stage is paired with the teacher's stage at the same distance from the end. ``all`` stands for every stage that
    has a partner, ``first``, ``middle`` and ``last`` for one of these, whatever their number, and
    ``{student: PATH, teacher: PATH}`` for any two submodules.
    """

    at: tuple[str | StagePair, ...] = Field(default=("last",), min_length=1)


class CustomLoss(FeatureLoss):
    """A custom loss: the function ``function`` in the Python file ``file``, which runs only where that is allowed."""

    file: str
    function: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class LossesPart(Part):
    """The losses of a recipe; a loss that is left out is not computed.

    ``Losses`` is the class of it that has every registered loss as a field.
    """

    if TYPE_CHECKING:
        # Each registered loss is a field, too.
        task: Loss
        custom: dict[str, CustomLoss] | None

        def __init__(self, **losses: Any) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _read_the_key_of_0_1(cls, data: Any) -> Any:
        if not isinstance(data, dict) or KEY_OF_0_1 not in data:
            return data
        if _CUSTOM in data:
            raise ValueError(f"{KEY_OF_0_1} is the old name of custom, and both are given: leave {KEY_OF_0_1} out")
        return {_CUSTOM if key == KEY_OF_0_1 else key: value for key, value in data.items()}

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Self:
        if all(loss.inactive for _, loss in self.active()):
            raise ValueError("every loss has weight 0; nothing would be learned")
        taken = [name for name in self.custom or () if name in type(self).model_fields]
        if taken:
            raise ValueError(f"custom.{taken[0]} has the name of a loss that is built in; give it another")
        return self

    def active(self) -> list[tuple[str, Loss]]:
        """The losses of the recipe by name, in the order of the schema; the custom ones last."""
        # What a frozen model holds, in the order of its fields: a search asks this of thousands of recipes.
        named = [(name, loss) for name, loss in self.__dict__.items() if loss is not None and name != _CUSTOM]
        return [*named, *(self.custom or {}).items()]

    def needing_teacher(self) -> list[str]:
        """The names of the losses that need a teacher."""
        return [name for name, _ in self.active() if name not in LOSSES or LOSSES[name].needs_teacher]

    def without_labels(self) -> list[str]:
        """The names of the losses with a weight that need no labels; what custom ones need only their files say."""
        weighted = [(name, loss) for name, loss in self.active() if not loss.inactive]
        return [name for name, loss in weighted if name not in LOSSES or not LOSSES[name].reads_labels(loss)]


@functools.cache
def every_loss() -> type[LossesPart]:
    """The class ``Losses``: every registered loss is a field, None where it is left out, ``task`` with weight 1."""
    fields: dict[str, Any] = {
        name: (entry.part, entry.part()) if name == _TASK else (entry.part | None, None)
        for name, entry in LOSSES.items()
    }
    fields[_CUSTOM] = (dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], CustomLoss] | None, None)
    return create_model("Losses", __base__=LossesPart, __module__=__name__, __doc__=LossesPart.__doc__, **fields)


def __getattr__(name: str) -> Any:
    # As a class of this module it can be pickled, and made again in another process from what is registered there.
    if name == "Losses":
        return every_loss()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def default_losses() -> LossesPart:
    """The losses of a recipe that names none: that of the task."""
    return every_loss()()


class _AnyLosses:
    """Reads a recipe's losses when the recipe is read, because losses are registered by a room above this one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(_read_losses)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(every_loss().__pydantic_core_schema__)


def _read_losses(data: Any) -> LossesPart:
    """Losses of plain data; losses as they are."""
    return data if isinstance(data, LossesPart) else every_loss().model_validate(data)


AnyLosses = Annotated[LossesPart, _AnyLosses()]
"""The losses of a recipe."""
