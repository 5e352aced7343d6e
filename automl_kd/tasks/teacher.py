"""What a task says of its teacher: trained here, or brought as a file or a folder of any known form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BeforeValidator, Discriminator, Field, GetCoreSchemaHandler, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError, core_schema

from automl_kd.core import Registry
from automl_kd.recipes import SGD, AdamW, Distill, Part, Student, StudentPart, Train
from automl_kd.recipes.schedules import Fraction, Positive
from automl_kd.recipes.students import PRETRAINED

Side = Annotated[int, Field(ge=1, le=16_384)]


class TeacherTraining(Part):
    """A network of a student family, trained on the task's labels alone, or distilled from a teacher of its own.

    A teacher's teacher makes a chain (Mirzadeh et al. 2020, arXiv:1902.03393): here a network of depth 110 teaches one
    of depth 20, the assistant, which then teaches the students::

        train:
          student: {family: resnet, depth: 20}
          train: {epochs: 30}
          distill: {losses: {kd: {weight: 0.9}}}
          teacher: {train: {student: {family: resnet, depth: 110}, train: {epochs: 60}}}

    With equal ``student`` parts it is a born-again network (Furlanello et al. 2018, arXiv:1805.04770).
    """

    student: Student
    train: Train
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    distill: Distill | None = None
    teacher: SingleTeacherSpec | None = None

    @model_validator(mode="after")
    def _teacher_where_one_is_needed(self) -> Self:
        needs_teacher = self.distill is not None and self.distill.needs_teacher()
        if needs_teacher and self.teacher is None:
            raise ValueError("distill needs a teacher and none is named: name it under teacher, beside distill")
        if self.teacher is not None and not needs_teacher:
            raise ValueError("a teacher is named and no loss needs it: add one under distill, such as kd")
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> Self:
        self.train.check(self.student)
        return self


class TrainedTeacher(Part):
    """A teacher that is trained once on the task."""

    train: TeacherTraining


class TeacherInput(Part):
    """The images that a teacher was trained on, where they are not the task's; a task of anything else takes none.

    Attributes:
        size: Height and width, or one number for both; by default the task's.
        channels: 3 for a teacher of colour images of a grey task, which are repeated; by default the task's.
        mean: By channel, which was subtracted from values in [0, 1]; by default the task's.
        std: By channel, by which they were then divided.
    """

    size: Side | tuple[Side, Side] | None = None
    channels: Annotated[int, Field(ge=1)] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[Annotated[float, Field(gt=0)], ...] | None = None

    @model_validator(mode="after")
    def _mean_and_std(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} values and std {len(self.std)}; both have one a channel")
        return self


OutputKind = Literal["logits", "probabilities", "log-probabilities", "values"]


class FineTuning(Train):
    """How a brought network of other classes, or without any, learns the task's: what a recipe's ``train`` says.

    What is left out is linear probing before fine-tuning (Kumar et al. 2022, arXiv:2202.10054): a new head alone for
    the first third, so that its random gradients do not spoil the features, then everything, all but the head more
    slowly. ``freeze: 1`` is the linear probe alone. ``layer_decay`` and ``label_smoothing`` that are left out depend on
    network and task.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 12
    optimizer: Annotated[SGD | AdamW, Field(discriminator="name")] = AdamW(name="adamw", lr=1e-3, weight_decay=0.05)
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    freeze: Fraction | None = 0.333
    clip: Positive | None = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


def _switched_on(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class BroughtTeacher(Part):
    """A teacher that the user brings.

    Attributes:
        input: Where it was trained on other images than the task's, and its file does not say so, or says it wrong.
        classes: Names in the order of its outputs, where its file does not say so, or says it wrong. It may know more
            than the task.
        outputs: What its outputs are, where that is not what is seen of them.
        fine_tune: How its network, without its classifier, is trained on the task first; ``true`` for the usual way.
        use: ``features`` for a network whose maps teach and whose outputs, if it has any, are not read.
    """

    input: TeacherInput | None = None
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    outputs: OutputKind | None = None
    fine_tune: Annotated[FineTuning | None, BeforeValidator(_switched_on)] = None
    use: Literal["features"] | None = None

    @model_validator(mode="after")
    def _outputs_of_its_own(self) -> Self:
        new = "fine_tune" if self.fine_tune is not None else "use" if self.use is not None else None
        if self.fine_tune is not None and self.use is not None:
            raise ValueError(
                "fine_tune gives it outputs of the task, and use: features reads none: leave one of them out"
            )
        for field in ("classes", "outputs"):
            if new is not None and getattr(self, field) is not None:
                raise ValueError(f"{field} is about outputs, which are not read with {new}: leave it out")
        return self

    @field_validator("classes", mode="before")
    @classmethod
    def _words(cls, names: Any) -> Any:
        """Names such as 3, which YAML reads as numbers, as words."""
        return [str(name) if type(name) is int else name for name in names] if isinstance(names, list) else names

    @field_validator("classes")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = [name for name, count in Counter(names or ()).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is named more than once")
        return names


class RegisteredForm(Protocol):
    """What this room asks of a registered form of teachers."""

    @property
    def part(self) -> type[BroughtTeacher]:
        """The class of its part of a task file; the field that the form is registered by holds the file or folder."""

    @property
    def example(self) -> str:
        """How a task file writes one: ``{onnx: FILE}``."""

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of files that stand for themselves on the command line."""

    @property
    def architecture(self) -> bool:
        """Whether such a file is followed by ``@`` and the student whose weights it holds."""

    @property
    def size(self) -> Callable[[Any], int | None]:
        """From a part to the height and width of images that its file or folder says it takes, None if it does not."""


TEACHER_FORMS: Registry[RegisteredForm] = Registry(
    "teacher form", home="automl_kd.teachers.forms", first=("checkpoint", "onnx", "program", "timm", "transformers")
)
"""The forms of teachers that are brought, by the field of a task file that names the file or folder."""

_TRAIN = "train"
# Tags must not be words of the document: pydantic puts them into the path of an error.
_ONE, _SEVERAL = "one teacher", "several teachers"


class _AnyForm:
    """Reads a teacher of any form when a document is read, because forms are registered by a room above this one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)


def _read(value: Any) -> OneTeacher:
    """The teacher that plain data is; a teacher as it is."""
    if isinstance(value, TrainedTeacher | BroughtTeacher):
        return value
    keys = value if isinstance(value, Mapping) else ()
    if _TRAIN in keys:
        return TrainedTeacher.model_validate(value)
    form = next((name for name in TEACHER_FORMS if name in keys), None)
    if form is None:
        *first, last = ["{train: …}", *(each.example for each in TEACHER_FORMS.values())]
        raise PydanticCustomError("teacher_form", "a teacher is {forms}", {"forms": f"{', '.join(first)} or {last}"})
    return TEACHER_FORMS[form].part.model_validate(value)


OneTeacher = TrainedTeacher | BroughtTeacher
SingleTeacherSpec = Annotated[OneTeacher, _AnyForm()]

TeacherSpec = Annotated[
    Annotated[SingleTeacherSpec, Tag(_ONE)]
    | Annotated[tuple[SingleTeacherSpec, ...], Field(min_length=2), Tag(_SEVERAL)],
    Discriminator(lambda value: _SEVERAL if isinstance(value, list | tuple) else _ONE),
]
"""One teacher, or a tuple of two or more that speak together."""

TeacherTraining.model_rebuild()
TrainedTeacher.model_rebuild()


def shows_features_only(spec: TeacherSpec | None) -> bool:
    """Whether nobody of the teachers answers as the task asks, so that no loss can read outputs."""
    members = spec if isinstance(spec, tuple) else (spec,)
    return all(isinstance(each, BroughtTeacher) and each.use == "features" for each in members)


def relative_to(folder: Path, spec: TeacherSpec) -> TeacherSpec:
    """The spec with every file that it names looked for in ``folder``."""
    return tuple(_relative(folder, each) for each in spec) if isinstance(spec, tuple) else _relative(folder, spec)


def _relative(folder: Path, spec: OneTeacher) -> OneTeacher:
    if isinstance(spec, TrainedTeacher):
        training = spec.train
        nested = None if training.teacher is None else _relative(folder, training.teacher)
        student = _started_in(folder, training.student)
        return TrainedTeacher(train=training.model_copy(update={"student": student, "teacher": nested}))
    return moved_to(folder / place_of(spec), spec)


def _started_in(folder: Path, student: StudentPart) -> StudentPart:
    """A student whose file of weights is looked for in a folder."""
    start = student.start
    if start is None or start.weights == PRETRAINED:
        return student
    found = start.model_copy(update={"weights": str(folder / Path(start.weights).expanduser())})
    return student.model_copy(update={"start": found})


def place_of(spec: BroughtTeacher) -> Path:
    """The file or folder that a brought teacher is read from."""
    return Path(getattr(spec, _place_field(spec))).expanduser()


def moved_to(place: Path, spec: BroughtTeacher) -> BroughtTeacher:
    """The same teacher, read from another place."""
    return spec.model_copy(update={_place_field(spec): str(place)})


def size_of(spec: TeacherSpec | None) -> int | None:
    """The height and width of the images that a task's teacher takes, the largest of several; None if none says it."""
    several = spec if isinstance(spec, tuple) else (spec,)
    sizes = [size for each in several if isinstance(each, BroughtTeacher) and (size := _size_of(each)) is not None]
    return max(sizes, default=None)


def _size_of(spec: BroughtTeacher) -> int | None:
    stated = None if spec.input is None else spec.input.size
    if stated is not None:
        return stated if isinstance(stated, int) else max(stated)
    return TEACHER_FORMS[_place_field(spec)].size(spec)


def _place_field(spec: BroughtTeacher) -> str:
    return next(name for name, form in TEACHER_FORMS.items() if isinstance(spec, form.part))
