"""A folder whose network is what it is, whatever the task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from automl_kd.core import Signature, UserError
from automl_kd.tasks import Card
from automl_kd.teachers.answers import Opened
from automl_kd.teachers.form import Source
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
                " for more classes than the task's, classes: [NAMES]"
            )
            raise UserError(f"{folder}: {error} ({hint})") from None

    return Source(card, form, opened)
