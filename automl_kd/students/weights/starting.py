"""Students that start from weights: what a file gives them, and a recipe that says which file it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from automl_kd.core import Signature, UserError, sha256_of
from automl_kd.recipes import Start, StudentPart
from automl_kd.recipes.students import PRETRAINED
from automl_kd.students.family import FAMILIES, Inherited
from automl_kd.students.student import StudentModule, at_resolution
from automl_kd.students.weights.checkpoint import read_tensors
from automl_kd.students.weights.files import find_weights, keep_weights, stated_statistics


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a student starts from.

    Attributes:
        path: The file of weights.
        start: What a recipe says of it, with its hash and the statistics of the images that it knows.
        inherited: What the student takes of it.
    """

    path: Path
    start: Start
    inherited: Inherited

    @property
    def words(self) -> str:
        """What it starts from, for people."""
        place = self.path if self.start.weights == PRETRAINED else self.start.weights
        return f"start {place} ({self.inherited.words})"

    def pinned(self, part: StudentPart) -> StudentPart:
        """The student with the hash of its weights, and the statistics of the images that they know."""
        return part.model_copy(update={"start": self.start})


def beginning(part: StudentPart, signature: Signature) -> Beginning | None:
    """What a student starts from, None where that is noise.

    Args:
        part: The recipe's student.
        signature: What it takes and answers.

    Raises:
        UserError: If there are no such weights, they changed since the recipe was made, or are those of another
            architecture: with the first tensor that is missing, has another shape, belongs nowhere, or is not finite.
    """
    if part.start is None:
        return None
    inherit = FAMILIES[part.family].inherit
    if inherit is None:
        raise UserError(f"student.start: students of the family {part.family} start from noise only; leave it out")
    path = find_weights(part)
    start = part.start
    if start.mean is None and (stated := stated_statistics(path)) is not None:
        start = start.model_copy(update=dict(zip(("mean", "std"), stated, strict=True)))
    asked = part.model_copy(update={"start": start})
    try:
        inherited = inherit(asked, at_resolution(asked, signature), read_tensors(path))
        _check_finite(inherited.state)
    except UserError as error:
        raise UserError(f"student.start.weights: {path}: {str(error).removeprefix(f'{path}: ')}") from None
    known = {
        "sha256": part.start.sha256 or sha256_of(path),  # one that was written down has just been compared
        "mean": inherited.mean or part.start.mean,
        "std": inherited.std or part.start.std,
    }
    return Beginning(path, part.start.model_copy(update=known), inherited)


def _check_finite(state: Mapping[str, Tensor]) -> None:
    strange = next((name for name, tensor in state.items() if not torch.isfinite(tensor).all()), None)
    if strange is not None:
        raise UserError(f"holds values that are not finite, in {strange}: a training that diverged wrote it")


def pinned(part: StudentPart, signature: Signature) -> StudentPart:
    """A student with the weights written down that it starts from; itself where that is noise.

    Raises:
        UserError: As :func:`beginning`.
    """
    found = beginning(part, signature)
    return part if found is None else found.pinned(part)


def start(student: StudentModule, part: StudentPart, signature: Signature) -> Inherited | None:
    """Give a freshly made student the weights that it starts from, and keep their file by its hash.

    Args:
        student: Initialised at random, which what the file lacks stays.
        part: The recipe's student.
        signature: What it takes and answers.

    Returns:
        What it took; None where it starts from noise.

    Raises:
        UserError: As :func:`beginning`.
    """
    found = beginning(part, signature)
    if found is None:
        return None
    assert found.start.sha256 is not None
    keep_weights(found.path, found.start.sha256)
    student.load_state_dict(dict(found.inherited.state), strict=False)
    return found.inherited
