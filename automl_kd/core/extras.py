"""Packages that may be absent or broken: imported where they are needed, what is wrong with them told in one line."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

from automl_kd.core.errors import UserError


def import_extra(module: str, extra: str | None, needed_by: str) -> ModuleType:
    """A module of a package that may be absent or broken.

    Whatever its import raises is told as a mistake of the installation: a package may be there and be broken, for
    example because another one was built for a different version of torch.

    Args:
        module: Its name, for example ``nni.nas.nn.pytorch``.
        extra: The extra of this project that brings the package, None where the project itself does.
        needed_by: What needs it, for the error.

    Raises:
        UserError: If the package is not installed, or cannot be imported.
    """
    package = module.partition(".")[0]
    wanted = package if extra is None else f"'automl-kd[{extra}]'"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library's warnings are for its developers
            importlib.import_module(package)  # first, so that its absence is told from that of one of its modules
            return importlib.import_module(module)
    except Exception as error:  # a package may raise anything while it is imported
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            raise UserError(
                f"{needed_by} needs the package {package}, which is not installed: pip install {wanted}"
            ) from None
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise UserError(
            f"{needed_by} needs the package {package}, which is installed and cannot be imported"
            f" ({type(error).__name__}: {reason}): mend it, for example by pip install --force-reinstall {wanted}"
        ) from None
