"""A folder of a network of images of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.core import IMAGE_AXES, UserError, first_line, import_extra
from automl_kd.students import Brought, silent, transformers_network
from automl_kd.tasks import BroughtTeacher, Card, ImageFacts, Task
from automl_kd.teachers.card import by_channel, floats, named_outputs, read_json, sides, stated_size
from automl_kd.teachers.folder import brought_student, folder_source, without_classifier
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm

# The ends of the names of classes that have a classifier of images.
_CLASSIFIERS = ("ForImageClassification", "ForImageClassificationWithTeacher")


class TransformersTeacher(BroughtTeacher):
    """A folder of a network of images of transformers, as its ``save_pretrained`` writes it."""

    transformers: str


def look(spec: TransformersTeacher, task: Task) -> Source:
    folder = Path(spec.transformers).expanduser()
    form = f"folder of transformers {spec.transformers}"
    return folder_source(folder, transformers_card(folder), form, lambda _: transformers_module(folder))


def student(spec: TransformersTeacher, task: Task) -> Brought:
    """The network of the folder up to its classifier, which starts from the weights of the folder."""
    folder = Path(spec.transformers).expanduser()
    network = transformers_network(_config(folder), str(folder))
    return brought_student("transformers", folder, network, spec, transformers_card(folder), task)


def size(spec: TransformersTeacher) -> int | None:
    """What its preprocessor_config.json or config.json says, which needs no transformers."""
    return stated_size(transformers_card(Path(spec.transformers).expanduser()))


def transformers_module(folder: Path) -> nn.Module:
    """The image classifier that ``save_pretrained`` wrote, its weights from safetensors alone.

    Code beside the weights is not run, and nothing is looked for outside of the folder.

    Args:
        folder: A folder on this machine.

    Raises:
        UserError: If transformers is not installed, or the folder is missing, damaged or holds no image classifier.
    """
    transformers: Any = import_extra("transformers", "text", f"{folder}: a teacher of transformers")
    built = [str(each) for each in _config(folder).get("architectures") or ()]
    if built and not any(each.endswith(_CLASSIFIERS) for each in built):
        raise without_classifier(folder)
    if not list(folder.glob("model*.safetensors")):
        raise UserError(f"{folder}: holds no model.safetensors; save the model with save_pretrained")
    try:
        with silent(transformers.utils.logging):
            module, loading = transformers.AutoModelForImageClassification.from_pretrained(
                str(folder.resolve()),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises what its many parts raise
        raise UserError(f"{folder}: transformers cannot load it: {first_line(error)}") from None
    # It would fill what is missing with random numbers.
    missing = sorted(map(_name, loading["missing_keys"])) + sorted(map(_name, loading["mismatched_keys"]))
    if missing:
        raise UserError(f"{folder}: lacks {missing[0]}, which {type(module).__name__} needs")
    loaded: nn.Module = module.float()
    return loaded


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise UserError(f"teacher folder {folder} does not exist, or holds no config.json")
    return read_json(folder / "config.json")


def transformers_card(folder: Path) -> Card:
    """What ``preprocessor_config.json`` and ``config.json`` say of images and classes."""
    config, images = read_json(folder / "config.json"), read_json(folder / "preprocessor_config.json")
    # A network of text and images says of these under a key of their own.
    vision = config.get("vision_config")
    pictured = vision if isinstance(vision, Mapping) else config
    channels = pictured.get("num_channels")
    mean, std = _moments(images)
    channels = channels if isinstance(channels, int) else None if mean is None else len(mean)
    stated = sides(images.get("crop_size")) if images.get("do_center_crop") else None
    resized = images.get("do_resize", True) is not False
    return Card(
        place="its preprocessor_config.json" if images else "its config.json",
        names_place="its config.json",
        names=named_outputs(config.get("id2label")),
        examples=ImageFacts(
            size=stated or (sides(images.get("size")) if resized else None) or sides(pictured.get("image_size")),
            channels=channels,
            mean=by_channel(mean, channels),
            std=by_channel(std, channels),
            remarks=("whole, not the middle",) if images.get("do_center_crop") or "crop_pct" in images else (),
        ),
    )


def _moments(images: Mapping[str, Any]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation, for values in [0, 1], of what an image processor makes of values from 0 to 255.

    It multiplies them by ``rescale_factor``, takes 1 off where ``rescale_offset`` says so, and normalises the result.
    """
    if not images:
        return None, None
    mean, std = floats(images.get("image_mean")), floats(images.get("image_std"))
    if images.get("do_normalize", mean is not None) is False or mean is None or std is None:
        mean, std = (0.0,) * len(mean or (0,)), (1.0,) * len(mean or (0,))
    factor = images.get("rescale_factor", 1 / 255) if images.get("do_rescale", True) is not False else 1.0
    scale = 255 * factor if isinstance(factor, int | float) and factor > 0 else 1.0
    scale = 1.0 if abs(scale - 1) < 1e-6 else scale
    offset = 1.0 if images.get("rescale_offset") else 0.0
    return tuple((each + offset) / scale for each in mean), tuple(each / scale for each in std)


def _name(key: Any) -> str:
    return str(key[0]) if isinstance(key, tuple) else str(key)


TEACHER_FORMS.add(
    "transformers",
    TeacherForm(TransformersTeacher, look, "{transformers: FOLDER}", axes=IMAGE_AXES, student=student, size=size),
)
