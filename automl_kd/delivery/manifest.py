"""What the manifest of a delivered folder says, of this version and of earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.delivery.folder import MANIFEST
from automl_kd.recipes import validate
from automl_kd.tasks import PROBLEMS

_REMEDY = "it should be a folder that export, distill or a search has written"


def _plain(name: str) -> str:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a file in the folder")
    return name


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Hash(_Said):
    sha256: str | None = None


class _Digest(_Said):
    digest: str | None = None


class _Onnx(_Said):
    opset: int | None = None
    max_difference: float | None = None


class _Reached(_Said):
    this_student: float | None = None


class _Prepared(_Said):
    shape: tuple[int, ...] = ()
    vocabulary_size: int = 0
    first: int = 2


class Manifest(_Said):
    """The parts of a manifest that a folder can be checked against.

    Attributes:
        files: SHA-256 of each file but the manifest, by name.
        task: The data that the student was made for.
        recipe: The recipe.
        onnx: ``student.onnx``.
        metric: What students are compared by.
        score: What this one reaches by it; of version 0.1 ``accuracy``.
        modality: What the examples are; what says nothing is of images.
        problem: What the labels are; what says nothing has one class each.
        preprocessing: How examples reach the network.
        names: Of the outputs; of images with one class each ``class_names``.
    """

    files: dict[Annotated[str, AfterValidator(_plain)], str]
    task: _Hash = _Hash()
    recipe: _Digest = _Digest()
    onnx: _Onnx = _Onnx()
    metric: str = "accuracy"
    score: _Reached | None = None
    accuracy: _Reached = _Reached()
    modality: str = "image"
    problem: str = "multiclass"
    preprocessing: _Prepared = _Prepared()
    names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder.

        Raises:
            UserError: If there is none, or it is no manifest of a delivery.
        """
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; {_REMEDY}")
        path = folder / MANIFEST
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{folder}: holds no {MANIFEST}; {_REMEDY}") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {error}; {_REMEDY}") from None
        return validate(cls, document, str(path))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in their order."""
        return self.names or self.class_names

    @property
    def reached(self) -> float | None:
        """The score of this student on the test split."""
        return (self.score or self.accuracy).this_student

    def signature(self) -> Signature | None:
        """What the student takes and answers; None where only the task knows, as of modalities of others."""
        shape, width = self.preprocessing.shape, len(self.outputs)
        if not shape or not width:
            return None
        if self.modality == "text":
            known = self.preprocessing.vocabulary_size + self.preprocessing.first
            takes = Input("ids", shape, TEXT_AXES, "int64", ids=known)
        elif self.modality == "image":
            takes = Input.of_images(shape)
        else:
            return None
        try:
            meaning = PROBLEMS.find(self.problem).meaning
        except UserError:
            return None
        if meaning == "real":  # their unit lies among the weights
            return Signature(takes, Output("values", width, meaning, (0.0,) * width, (1.0,) * width))
        return Signature(takes, Output("logits", width, meaning))
