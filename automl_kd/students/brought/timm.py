"""Networks of timm, as the ``config.json`` of ``timm.models.save_for_hf`` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from automl_kd.core import UserError, first_line, import_extra
from automl_kd.students.brought.trunk import Library, Named

# Arguments of timm.create_model that read other files or fetch weights.
_FETCHING = ("pretrained", "checkpoint_path", "cache_dir")


def timm_network(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The part of a ``config.json`` that decides the network: ``architecture`` and the arguments of the library.

    Args:
        config: The content of the file.
        where: The folder, for errors.

    Raises:
        UserError: If timm is not installed, knows no such network, or would read other files.
    """
    timm = import_extra("timm", "timm", f"{where}: a teacher of timm")
    name, arguments = config.get("architecture"), config.get("model_args") or {}
    # A name with a scheme (hf-hub:…) would be looked for elsewhere.
    if not isinstance(name, str) or not timm.is_model(name):
        raise UserError(f"{where}/config.json: architecture: {name!r} is no network of timm {timm.__version__}")
    if not isinstance(arguments, Mapping):
        raise UserError(f"{where}/config.json: model_args should be a mapping if there are any")
    fetching = [key for key in arguments if str(key).startswith(_FETCHING)]
    if fetching:
        raise UserError(f"{where}/config.json: model_args.{fetching[0]}: the weights are those beside it; leave it out")
    return {"architecture": name, "arguments": dict(arguments)}


def timm_module(network: Mapping[str, Any], channels: int, classes: int) -> nn.Module:
    """A network of timm, freshly initialised.

    Args:
        network: As :func:`timm_network` gives it; its arguments have the last word.
        channels: Of its images.
        classes: Number of outputs, 0 for the vectors that a classifier would read.

    Raises:
        UserError: If timm is not installed, or cannot build it.
    """
    name = network["architecture"]
    timm: Any = import_extra("timm", "timm", f"student.family: brought, {name} of timm")
    settings: dict[str, Any] = {"in_chans": channels, "num_classes": classes, **network["arguments"]}
    try:
        module: nn.Module = timm.create_model(name, pretrained=False, **settings)
    except Exception as error:  # timm raises what its many networks raise
        raise UserError(f"timm cannot build {name}: {first_line(error)}") from None
    return module


def _trunk(network: Mapping[str, Any], channels: int) -> nn.Module:
    arguments = {key: value for key, value in network["arguments"].items() if key != "num_classes"}
    return timm_module({**network, "arguments": arguments}, channels, 0)


def _named(network: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Named:
    timm: Any = import_extra("timm", "timm", "a network of timm")
    stated = getattr(timm.get_pretrained_cfg(network["architecture"]), "classifier", None)
    paths = (stated,) if isinstance(stated, str) else tuple(stated or ())
    return Named(tensors, tuple(f"{path}." for path in paths))


LIBRARY = Library(_trunk, _named, lambda network: str(network["architecture"]))
