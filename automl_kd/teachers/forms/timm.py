"""A folder of timm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.core import IMAGE_AXES, UserError, import_extra
from automl_kd.recipes import parse_yaml
from automl_kd.students.checkpoint import fill, read_checkpoint
from automl_kd.tasks import BroughtTeacher, Card, ImageFacts, Task
from automl_kd.teachers.card import by_channel, floats, named_outputs, read_json, sides, stated_size
from automl_kd.teachers.folder import folder_source
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm

# Arguments of timm.create_model that read other files or fetch weights.
_FETCHING = ("pretrained", "checkpoint_path", "cache_dir")


class TimmTeacher(BroughtTeacher):
    """A folder of timm: ``config.json`` and ``model.safetensors``, as ``timm.models.save_for_hf`` writes them."""

    timm: str


def look(spec: TimmTeacher, task: Task) -> Source:
    timm = timm_folder(Path(spec.timm).expanduser())
    form = f"folder of timm {spec.timm}: {timm.name}"
    return folder_source(timm.folder, timm.card, form, lambda shape: timm.module(shape[0]))


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
        name: The architecture.
        classes: Number of outputs.
        arguments: Of ``timm.create_model``.
        card: What it says of images and classes.
    """

    folder: Path
    name: str
    classes: int
    arguments: Mapping[str, Any]
    card: Card

    def module(self, channels: int) -> nn.Module:
        """The network with the weights of ``model.safetensors``.

        Args:
            channels: Of its images, where its ``model_args`` do not say.

        Raises:
            UserError: If timm cannot build it, or the weights are missing, damaged or those of another network.
        """
        timm = _timm(self.folder)
        settings: dict[str, Any] = {"in_chans": channels, "num_classes": self.classes, **self.arguments}
        try:
            module: nn.Module = timm.create_model(self.name, pretrained=False, **settings)
        except Exception as error:  # timm raises what its many networks raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"{self.folder}/config.json: timm cannot build {self.name}: {reason}") from None
        weights = read_checkpoint(self.folder / "model.safetensors")
        fill(module, weights, str(self.folder), f"{self.name} with {self.classes} classes")
        return module


def timm_folder(folder: Path) -> TimmFolder:
    """Read a folder as ``save_for_hf`` of timm wrote it; the weights are not read yet.

    Raises:
        UserError: If timm is not installed, a file is missing or damaged, or timm knows no such network.
    """
    timm = _timm(folder)
    if not folder.is_dir():
        raise UserError(f"teacher folder {folder} does not exist")
    config = parse_yaml(folder / "config.json")
    name, classes, arguments = config.get("architecture"), config.get("num_classes"), config.get("model_args") or {}
    # A name with a scheme (hf-hub:…) would be looked for elsewhere.
    if not isinstance(name, str) or not timm.is_model(name):
        raise UserError(f"{folder}/config.json: architecture: {name!r} is no network of timm {timm.__version__}")
    if not isinstance(classes, int) or not isinstance(arguments, Mapping):
        raise UserError(
            f"{folder}/config.json: num_classes should be a number, and model_args a mapping if there are any"
        )
    fetching = [key for key in arguments if str(key).startswith(_FETCHING)]
    if fetching:
        raise UserError(
            f"{folder}/config.json: model_args.{fetching[0]}: the weights are those beside it; leave it out"
        )
    return TimmFolder(folder, name, classes, arguments, _card(config, arguments))


def _timm(folder: Path) -> Any:
    return import_extra("timm", "timm", f"{folder}: a teacher of timm")


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


TEACHER_FORMS.add("timm", TeacherForm(TimmTeacher, look, "{timm: FOLDER}", axes=IMAGE_AXES, size=size))
