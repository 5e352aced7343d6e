"""A folder whose network is what it is, whatever the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from torch import nn

from automl_kd.core import Signature, UserError
from automl_kd.recipes import Start
from automl_kd.students import Brought, ImageTransform
from automl_kd.tasks import BroughtTeacher, Card, Images, Task
from automl_kd.teachers.answers import Opened
from automl_kd.teachers.form import OTHER_CLASSES, Source
from automl_kd.teachers.module import module_teacher


def folder_source(folder: Path, card: Card, form: str, module: Callable[[tuple[int, ...]], nn.Module]) -> Source:
    """The source of a folder of images' networks; where its network does not fit the task, the folder is named.

    Args:
        folder: The folder.
        card: What it says of itself.
        form: What it is, in words.
        module: Its network, from the shape (channels, height, width) of the images that it is shown.
    """

    def opened(signature: Signature) -> Opened:
        network = module(signature.input.shape)
        try:
            return Opened(module_teacher(network, signature), form)
        except UserError as error:
            hint = (
                "trained on other images, it needs input: {size: …, channels: …, mean: […], std: […]} beside it, and"
                f" for more classes than the task's, classes: [NAMES]; {OTHER_CLASSES}"
            )
            raise UserError(f"{folder}: {error} ({hint})") from None

    return Source(card, form, opened)


def brought_student(
    library: Literal["timm", "transformers"],
    folder: Path,
    network: Mapping[str, Any],
    spec: BroughtTeacher,
    card: Card,
    task: Task,
) -> Brought:
    """The network of a folder without its classifier, as a student of a task that starts from the folder's weights.

    Args:
        library: Whose it is.
        folder: The folder.
        network: What the library builds it from.
        spec: What the user says of it.
        card: What it says of itself.
        task: What it learns.
    """
    own = task.modality
    assert isinstance(own, Images)  # the form's axes are those of images
    transform = own.shown_to_teacher(spec.input, card).transform
    assert transform is None or isinstance(transform, ImageTransform)
    # The transform is a part of the network: what it is given are the task's images as they are.
    start = Start(weights=str(folder), mean=own.mean, std=own.std)
    return Brought(family="brought", library=library, network=dict(network), transform=transform, start=start)


def without_classifier(folder: Path) -> UserError:
    """The error for a folder whose network has no classifier, where it should answer."""
    return UserError(f"{folder}: its network has no classifier: {OTHER_CLASSES}")
