"""Where files live: a project's database, the cache, the user's configuration, the YAML that comes with the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from automl_kd.core.errors import UserError, unknown

DEFAULT_STORAGE = "sqlite:///automl-kd.db"
"""The database of a project: a file in the folder where its commands run."""


def cache_dir() -> Path:
    """The cache for teachers, their outputs and calibrations: ``~/.cache/automl-kd`` or ``$AUTOML_KD_CACHE``."""
    configured = os.environ.get("AUTOML_KD_CACHE")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "automl-kd"


def config_dir() -> Path:
    """The user's own profiles and spaces: ``$XDG_CONFIG_HOME/automl-kd``, by default under ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "automl-kd"


def shipped_dir(kind: str) -> Path:
    """The folder of YAML that comes with the project.

    A wheel carries it inside the package; a checkout (and so an editable install) keeps it beside the package,
    where users read, copy and edit it.

    Args:
        kind: ``"search_spaces"`` or ``"hardware_profiles"``.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / kind, package / kind):
        if folder.is_dir() and any(folder.glob("*.yaml")):
            return folder
    raise FileNotFoundError(f"this installation of automl-kd lacks its folder {kind}")


def yaml_names(kind: str) -> dict[str, Path]:
    """Every YAML file of a kind by its name without ending; the user's own come before those of the project."""
    found: dict[str, Path] = {}
    for folder in _folders(kind):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_yaml(kind: str, label: str, name: str) -> Path:
    """The file that a user means by a name or by a path.

    Args:
        kind: ``"search_spaces"`` or ``"hardware_profiles"``.
        label: What to call it in an error, for example ``"device"``.
        name: A bare name, or a path to a YAML file.

    Raises:
        UserError: If neither exists.
    """
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise UserError(f"{label} file {name} does not exist")
        return path
    names = yaml_names(kind)
    if name not in names:
        raise unknown(label, name, names)
    return names[name]


def _folders(kind: str) -> Iterator[Path]:
    own = config_dir() / kind
    if own.is_dir():
        yield own
    yield shipped_dir(kind)
