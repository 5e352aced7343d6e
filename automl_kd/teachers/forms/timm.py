"""A folder of timm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.core import IMAGE_AXES, UserError, import_extra
from automl_kd.recipes import parse_yaml
from automl_kd.students import Brought, checkpoint, timm_module, timm_network, weights_in
from automl_kd.tasks import BroughtTeacher, Card, ImageFacts, Task
from automl_kd.teachers.card import by_channel, floats, named_outputs, read_json, sides, stated_size
from automl_kd.teachers.folder import brought_student, folder_source, without_classifier
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm


class TimmTeacher(BroughtTeacher):
    """A folder of timm: ``config.json`` and weights, as ``timm.models.save_for_hf`` writes them."""

    timm: str


def look(spec: TimmTeacher, task: Task) -> Source:
    timm = timm_folder(Path(spec.timm).expanduser())
    form = f"folder of timm {spec.timm}: {timm.name}"
    return folder_source(timm.folder, timm.card, form, lambda shape: timm.module(shape[0]))


def student(spec: TimmTeacher, task: Task) -> Brought:
    """The network of the folder up to its classifier, which starts from the weights of the folder."""
    timm = timm_folder(Path(spec.timm).expanduser())
    return brought_student("timm", timm.folder, timm.network, spec, timm.card, task)


def size(spec: TimmTeacher) -> int | None:
    """What its config.json says, which needs no timm."""
    config = read_json(Path(spec.timm).expanduser() / "config.json")
    arguments = config.get("model_args")
    return stated_size(_card(config, arguments if isinstance(arguments, Mapping) else {}))


@dataclass(frozen=True)
class TimmFolder:
    """What ``config.json`` of ``save_for_hf`` says, checked.

    Attributes:
        folder: A folder on this machine.
        network: What timm builds it from.
        classes: Number of outputs, 0 where it has no classifier.
        card: What it says of images and classes.
    """

    folder: Path
    network: Mapping[str, Any]
    classes: int
    card: Card

    @property
    def name(self) -> str:
        """The architecture."""
        return str(self.network["architecture"])

    def module(self, channels: int) -> nn.Module:
        """The network with the folder's weights.

        Args:
            channels: Of its images, where its ``model_args`` do not say.

        Raises:
            UserError: If timm cannot build it, it has no classifier, or the weights are missing, damaged or those of
                another network.
        """
        if self.classes == 0:
            raise without_classifier(self.folder)
        try:
            module = timm_module(self.network, channels, self.classes)
        except UserError as error:
            raise UserError(f"{self.folder}/config.json: {error}") from None
        weights = checkpoint.read_checkpoint(weights_in(self.folder))
        checkpoint.fill(module, weights, str(self.folder), f"{self.name} with {self.classes} classes")
        return module


def timm_folder(folder: Path) -> TimmFolder:
    """Read a folder as ``save_for_hf`` of timm wrote it; the weights are not read yet.

    Raises:
        UserError: If timm is not installed, a file is missing or damaged, or timm knows no such network.
    """
    import_extra("timm", "timm", f"{folder}: a teacher of timm")
    if not folder.is_dir():
        raise UserError(f"teacher folder {folder} does not exist")
    config = parse_yaml(folder / "config.json")
    network, classes = timm_network(config, str(folder)), config.get("num_classes")
    if not isinstance(classes, int):
        raise UserError(f"{folder}/config.json: num_classes should be a number")
    return TimmFolder(folder, network, classes, _card(config, network["arguments"]))


def _card(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> Card:
    """What ``pretrained_cfg`` says; older versions of timm wrote its keys beside the others."""
    nested = config.get("pretrained_cfg")
    stated: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    shape = stated.get("input_size")
    shape = shape if isinstance(shape, list) and all(isinstance(each, int) for each in shape) else []
    own = arguments.get("in_chans")
    channels = own if isinstance(own, int) else next(iter(shape), None)
    crop = stated.get("crop_pct")
    crop = float(crop) if isinstance(crop, int | float) else 1.0
    return Card(
        place="its config.json",
        names_place="its config.json",
        names=_names(config, stated),
        examples=ImageFacts(
            size=sides(arguments.get("img_size")) or sides(shape[1:]),
            channels=channels,
            mean=by_channel(floats(stated.get("mean")), channels),
            std=by_channel(floats(stated.get("std")), channels),
            remarks=(f"whole, not the middle {100 * crop:g} %",) if crop < 1 else (),
        ),
    )


def _names(config: Mapping[str, Any], stated: Mapping[str, Any]) -> tuple[tuple[str, ...], ...] | None:
    """Names by output, each with its description where there is one."""
    names = named_outputs(config.get("label_names") or stated.get("label_names"))
    described = config.get("label_descriptions") or stated.get("label_descriptions")
    if names is None or not isinstance(described, Mapping):
        return names
    return tuple((name, str(described[name])) if name in described else (name,) for (name,) in names)


TEACHER_FORMS.add(
    "timm",
    TeacherForm(TimmTeacher, look, "{timm: FOLDER}", axes=IMAGE_AXES, student=student, size=size),
)
