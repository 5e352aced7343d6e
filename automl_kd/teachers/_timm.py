"""A folder of timm as a module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.errors import UserError
from automl_kd.extras import import_extra
from automl_kd.recipes import parse_yaml
from automl_kd.teachers._checkpoint import fill, read_checkpoint

# Arguments of timm.create_model that read other files or fetch weights.
_FETCHING = ("pretrained", "checkpoint_path", "cache_dir")


def timm_module(folder: Path, channels: int) -> nn.Module:
    """The network of ``config.json`` with the weights of ``model.safetensors``, as ``save_for_hf`` of timm wrote them.

    Args:
        folder: A folder on this machine.
        channels: Of its images, where its ``model_args`` do not say.

    Raises:
        UserError: If timm is not installed, a file is missing or damaged, or timm knows no such network.
    """
    timm: Any = import_extra("timm", "timm", f"{folder}: a teacher of timm")
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
    settings: dict[str, Any] = {"in_chans": channels, "num_classes": classes, **arguments}
    try:
        module: nn.Module = timm.create_model(name, pretrained=False, **settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder}/config.json: timm cannot build {name}: {error}") from None
    fill(module, read_checkpoint(folder / "model.safetensors"), str(folder), f"{name} with {classes} classes")
    return module
