"""A folder of transformers as a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.errors import UserError


def transformers_module(folder: Path) -> nn.Module:
    """The image classifier that ``save_pretrained`` wrote, its weights from safetensors alone.

    Code beside the weights is not run, and nothing is looked for outside of the folder.

    Args:
        folder: A folder on this machine.

    Raises:
        UserError: If transformers is not installed, or the folder is missing, damaged or holds no image classifier.
    """
    try:
        import transformers
    except ImportError:
        raise UserError(
            f"{folder}: a teacher of transformers needs the extra text: pip install 'automl-kd[text]'"
        ) from None
    if not (folder / "config.json").is_file():
        raise UserError(f"teacher folder {folder} does not exist, or holds no config.json")
    if not list(folder.glob("model*.safetensors")):
        raise UserError(f"{folder}: holds no model.safetensors; save the model with save_pretrained")
    try:
        module, loading = transformers.AutoModelForImageClassification.from_pretrained(
            str(folder.resolve()),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises what its many parts raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{folder}: transformers cannot load it: {reason}") from None
    # It would fill what is missing with random numbers.
    missing = sorted(map(_name, loading["missing_keys"])) + sorted(map(_name, loading["mismatched_keys"]))
    if missing:
        raise UserError(f"{folder}: lacks {missing[0]}, which {type(module).__name__} needs")
    loaded: nn.Module = module.float()
    return loaded


def _name(key: Any) -> str:
    return str(key[0]) if isinstance(key, tuple) else str(key)
