"""A folder of transformers as a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from automl_kd.errors import UserError
from automl_kd.extras import import_extra


def transformers_module(folder: Path) -> nn.Module:
    """The image classifier that ``save_pretrained`` wrote, its weights from safetensors alone.

    Code beside the weights is not run, and nothing is looked for outside of the folder.

    Args:
        folder: A folder on this machine.

    Raises:
        UserError: If transformers is not installed, or the folder is missing, damaged or holds no image classifier.
    """
    transformers: Any = import_extra("transformers", "text", f"{folder}: a teacher of transformers")
    if not (folder / "config.json").is_file():
        raise UserError(f"teacher folder {folder} does not exist, or holds no config.json")
    if not list(folder.glob("model*.safetensors")):
        raise UserError(f"{folder}: holds no model.safetensors; save the model with save_pretrained")
    try:
        with _silent(transformers.utils.logging):
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


@contextmanager
def _silent(logging: Any) -> Iterator[None]:
    """Without bars and tables on standard error: what matters of them is told in one line."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _name(key: Any) -> str:
    return str(key[0]) if isinstance(key, tuple) else str(key)
