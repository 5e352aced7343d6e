"""The recipe: all that decides a student."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from automl_kd.core import Registry
from automl_kd.recipes.augmentations import Augmentation, mixing_among
from automl_kd.recipes.losses import KEY_OF_0_1, AnyLosses, default_losses
from automl_kd.recipes.one_of import OneOf, Registered
from automl_kd.recipes.part import Part
from automl_kd.recipes.schedules import Curriculum, Fraction, HandOver, Positive, Weight
from automl_kd.recipes.students import Student, StudentPart

FLOAT32 = "float32"
"""The form of a student of which nothing is compressed."""
_EXAMPLE = {"example": "[{stage: quantise}]"}
_COMPRESS_OF_0_1 = {"quantize": "none"}
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
TeacherOutputs = Literal["live", "cache-fp32", "cache-fp16", "cache-top16"]
Balance = Literal["none", "gradient", "uncertainty"]
Fuse = Literal["mean", "entropy", "learned", "dempster-shafer"]


class TaskReference(Part):
    """A task by name or path, with the hash of its data.

    ``data`` and ``metric`` are there only where the user chose others than the task names.
    """

    name: str
    data: str | None = None
    sha256: Sha256 | None = None
    metric: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class TeacherReference(Part):
    """The teacher by the hash of its weights; ``file`` where the user brought one."""

    sha256: Sha256
    file: str | None = None


class Distill(Part):
    """How the student learns from the teacher.

    ``targets`` says where the teacher's outputs come from: computed at every step (``live``), or once for every view
    and kept. Left out, it is decided by measured cost before training and then written down, so that a replay does the
    same. ``views`` is how many random views of each example there are, one after the other by epoch; without it every
    epoch has a new one. For mixed examples ``mixed`` says whether the teacher is asked (``live``), or its kept answers
    to the unmixed ones are mixed like these (``cached``), which gives other answers.

    ``balance`` gives the weights their unit: as they stand (``none``), the norm of the task loss's gradient
    (``gradient``), or learned (``uncertainty``). ``fuse`` says how several teachers are made one. ``unhealthy`` says
    what happens to a loss that does harm or nothing: the run fails, or goes on without the loss.
    """

    targets: TeacherOutputs | None = None
    views: Annotated[int, Field(ge=1)] | None = None
    mixed: Literal["live", "cached"] | None = None
    balance: Balance = "none"
    fuse: Fuse | None = None
    unhealthy: Literal["fail", "drop"] = "fail"
    losses: AnyLosses = Field(default_factory=default_losses)
    handover: HandOver | None = None
    curriculum: Curriculum | None = None

    @model_validator(mode="after")
    def _handover_between_losses(self) -> Self:
        if self.handover is not None:
            present = dict(self.losses.active())
            for end in (self.handover.source, self.handover.target):
                if end not in present:
                    raise ValueError(f"handover names the loss {end}, which losses does not hold")
        return self

    def needs_teacher(self) -> bool:
        """Whether any loss needs the teacher."""
        return bool(self.losses.needing_teacher())


class SGD(Part):
    """Stochastic gradient descent with Nesterov momentum."""

    name: Literal["sgd"]
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Weight = 5e-4


class AdamW(Part):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    lr: Positive = 1e-3
    weight_decay: Weight = 1e-2


Precision = Literal["float32", "bfloat16"]


class Train(Part):
    """The optimisation: ``epochs`` passes, learning rate annealed by a cosine after ``warmup`` of the run.

    What fine-tuning needs is left out unless it is said. ``label_smoothing`` is the share of every label that goes to
    all classes alike in the task's own loss. ``ema`` is the decay of a running average of the weights, which is what is
    judged and delivered. ``layer_decay`` multiplies the learning rate once for every stage away from the head.
    ``freeze`` is the fraction of the run in which only the classifier learns, with the projector and adapters where
    there are some; 1 for all of it. ``batch_norm`` keeps the statistics that came with the weights of ``student.start``
    (``frozen``; random weights and a projector have none, and gather them), or measures them anew on training examples
    whenever the student is judged (``reestimated``). ``clip`` bounds the norm of all gradients together. ``precision``
    is that of the forward and backward pass: by default bfloat16 on CUDA and float32 on CPUs. ``unlabelled`` is the
    share of every batch that is drawn from the task's unlabelled examples.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 64
    optimizer: Annotated[SGD | AdamW, Field(discriminator="name")] = SGD(name="sgd")
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: tuple[Augmentation, ...] = ()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    freeze: Fraction | None = None
    batch_norm: Literal["frozen", "reestimated"] | None = None
    clip: Positive | None = None
    precision: Precision | None = None
    unlabelled: Annotated[float, Field(gt=0, lt=1)] | None = None

    @property
    def labelled_batch(self) -> int:
        """How many examples of a batch have labels: the whole of it, or the rest of a share without; at least one."""
        without = 0 if self.unlabelled is None else max(1, round(self.unlabelled * self.batch_size))
        return max(1, self.batch_size - without)

    def check(self, student: StudentPart) -> None:
        """Refuse to train nothing but the head of random weights.

        Raises:
            ValueError: If the student starts from none and its trunk is held to the end.
        """
        if student.start is None and self.freeze == 1:
            raise ValueError(
                "train.freeze is 1, which never trains more than the head, and student.start is scratch: name weights"
                " there, or freeze a part of the run"
            )


STAGES: Registry[Registered] = Registry("stage", home="automl_kd.compression.stages")
"""The stages of ``compress`` by name."""


class StagePart(Part):
    """A stage of ``compress``: what is done to the trained student before it ships."""

    stage: str

    @property
    def form(self) -> str:
        """What it makes of the student, in a word for reports: ``int8``."""
        return self.stage


class Recipe(Part):
    """One student and how it is made; the same document with holes is a search space.

    ``hw`` is the device that the student is for: it decides the precision and the opset in which it is delivered.

    Raises:
        pydantic.ValidationError: If a field is unknown, missing or out of range. ``load_recipe`` turns it into one line
            with the file, the path, the value and what is allowed.
    """

    version: Literal[1] = 1
    task: TaskReference | None = None
    teacher: TeacherReference | None = None
    hw: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    student: Student
    distill: Distill = Field(default_factory=Distill)
    train: Train
    compress: tuple[Annotated[StagePart, OneOf(STAGES, "stage")], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_compress_of_0_1(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("compress") == _COMPRESS_OF_0_1:
            return {**data, "compress": []}
        return data

    @field_validator("compress", mode="before")
    @classmethod
    def _compress_is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise PydanticCustomError("stages", "write a list, such as {example}, or [] for none", _EXAMPLE)
        return value

    @model_validator(mode="after")
    def _losses_have_what_they_need(self) -> Self:
        for _, loss in self.distill.losses.active():
            loss.check(self)
        return self

    @model_validator(mode="after")
    def _unlabelled_are_learned_from(self) -> Self:
        if self.train.unlabelled is not None and not self.distill.losses.without_labels():
            names = ", ".join(name for name, _ in self.distill.losses.active())
            raise ValueError(
                f"train.unlabelled takes examples without labels, and every loss reads labels ({names}): leave it out,"
                " or add a loss that compares with the teacher, such as kd"
            )
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> Self:
        self.train.check(self.student)
        return self

    @model_validator(mode="after")
    def _each_stage_once(self) -> Self:
        names = [each.stage for each in self.compress]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"compress has the stage {twice} twice; once is right")
        return self

    @model_validator(mode="after")
    def _mixing_is_explicit(self) -> Self:
        targets = self.distill.targets
        if targets in (None, "live") or self.distill.mixed == "cached":
            return self
        mixed = mixing_among(self.train.augment)
        if mixed:
            raise ValueError(
                f"distill.targets is {targets}, which keeps what the teacher says of unmixed examples, and"
                f" train.augment has {mixed[0]}: use live, or say mixed: cached to mix its answers like these"
            )
        return self

    @property
    def form(self) -> str:
        """What ships, in a word or two: ``int8``; ``float32`` where there are no stages of ``compress``."""
        return ", ".join(stage.form for stage in self.compress) or FLOAT32

    def document(self) -> dict[str, Any]:
        """The recipe as plain data, in the order of the schema, without what is not there."""
        document = self.model_dump(mode="json", exclude_none=True)
        if self.task is not None and document["task"].keys() == {"name"}:
            document["task"] = self.task.name
        return document

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the document: equal recipes have equal digests on every machine.

        What version 0.1 had is hashed as it spelled it, because files that it left are named by this digest.
        """
        return digest(as_0_1(self.document()))

    def with_(self, **changes: Any) -> Recipe:
        """A validated copy with top-level fields replaced."""
        return Recipe.model_validate(self.document() | changes)


def as_0_1(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a recipe as version 0.1 spelled it: its custom losses, and that nothing is compressed."""
    losses = document["distill"]["losses"]
    if "custom" in losses:
        losses = {KEY_OF_0_1 if key == "custom" else key: value for key, value in losses.items()}
    compress = document["compress"] or _COMPRESS_OF_0_1
    return document | {"distill": document["distill"] | {"losses": losses}, "compress": compress}


def digest(document: Any) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces) of plain data."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
