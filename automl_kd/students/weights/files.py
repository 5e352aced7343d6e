"""Files of weights that students start from: where a recipe says, where the user put them, or kept by their hash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, cache_dir, check_room, config_dir, replacing, sha256_of
from automl_kd.recipes import StudentPart
from automl_kd.recipes.students import PRETRAINED
from automl_kd.students.family import FAMILIES, Published
from automl_kd.students.weights.hub import FILE, cached, fetched

_FIELD = "student.start.weights"
_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
_IN_FOLDERS = ("model.safetensors", "pytorch_model.bin", "student.safetensors")


class MissingWeightsError(UserError):
    """Published weights are not on this machine, and the hub cannot be reached.

    Attributes:
        name: Of the network.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def find_weights(part: StudentPart) -> Path:
    """The file of weights that a student starts from.

    Args:
        part: A student that has a ``start``.

    Raises:
        MissingWeightsError: If the published weights are wanted, and are not to be had.
        UserError: If the family has none, there is no such file, or it changed since the recipe was made.
    """
    start = part.start
    assert start is not None
    if start.sha256 is not None and (copy := _kept(start.sha256)) is not None:
        return copy
    try:
        found = _published_file(part) if start.weights == PRETRAINED else _named_file(Path(start.weights).expanduser())
    except UserError as error:
        if start.sha256 is None:
            raise
        raise UserError(f"{error}; the recipe was made with the file of SHA-256 {start.sha256[:12]}…") from None
    if start.sha256 not in (None, sha256_of(found)):
        raise UserError(
            f"student.start.sha256: {found} changed since the recipe was made; restore it, or remove the hash"
        )
    return found


def at_hand(part: StudentPart) -> bool:
    """Whether the published weights of a student's network are on this machine; nothing is fetched."""
    published = FAMILIES[part.family].published(part)
    if published is None:
        return False
    in_cache = published.repo is not None and cached(published.repo) is not None
    return in_cache or next(_brought(published), None) is not None


def keep_weights(path: Path, sha256: str) -> None:
    """Keep a file of weights by its hash, because a recipe is replayed where, and when, the file may be gone.

    Raises:
        UserError: If the disk is full.
    """
    if path.parent != _folder(sha256) and _kept(sha256) is None:  # a copy that was found has just been verified
        check_room(_folder(sha256), path.stat().st_size)
        with replacing(_folder(sha256) / f"weights{path.suffix}") as draft:
            shutil.copyfile(path, draft)


def weights_in(folder: Path) -> Path:
    """The file of weights in a folder: under a usual name, or the only one that can hold any.

    Raises:
        UserError: If there is none, or there are several under other names.
    """
    found = _in_folder(folder)
    if found is not None:
        return found
    several = [path.name for path in _weights_below(folder)]
    if several:
        raise UserError(f"{folder}: holds several files of weights ({', '.join(several[:2])}); name one of them")
    raise UserError(f"{folder}: holds no weights; a folder of weights has {' or '.join(_IN_FOLDERS)}")


def stated_statistics(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and deviation of the images that weights know, as a file beside them says; None where none does.

    Read are the ``config.json`` of timm's folders and the ``manifest.json`` of our own deliveries.
    """
    for name, keys in (("config.json", ("pretrained_cfg", "")), ("manifest.json", ("preprocessing",))):
        data = _json(path.parent / name)
        for part in (data.get(key, {}) if key else data for key in keys):
            if isinstance(part, dict) and (both := (_numbers(part.get("mean")), _numbers(part.get("std")))):
                mean, std = both
                if mean and std:
                    return mean, std
    return None


def _named_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"{_FIELD}: {path}: no such file or folder")
    try:
        return weights_in(path)
    except UserError as error:
        raise UserError(f"{_FIELD}: {error}") from None


def _in_folder(folder: Path) -> Path | None:
    """The weights in a folder: under a usual name, or the only file that can hold any."""
    usual = next((folder / name for name in _IN_FOLDERS if (folder / name).is_file()), None)
    others = _weights_below(folder)
    return usual or (others[0] if len(others) == 1 else None)


def _weights_below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _ENDINGS]


def _published_file(part: StudentPart) -> Path:
    published = FAMILIES[part.family].published(part)
    if published is None:
        raise UserError(
            f"{_FIELD}: pretrained: no weights are published for this {part.family}; name a file, or say start: scratch"
        )
    local = next(_brought(published), None)
    found = local or (None if published.repo is None else fetched(published.repo))
    if found is None:
        source = "" if published.repo is None else f" {FILE} of https://huggingface.co/{published.repo}"
        target = _brought_folder() / f"{published.name}.safetensors"
        message = f"{_FIELD}: weights of {published.name} are not here: bring{source or ' them'} as {target}"
        raise MissingWeightsError(published.name, message)
    return found


def _brought(published: Published) -> Iterator[Path]:
    """What the user brought of a network's weights: ``NAME.pth``, ``NAME-HASH.pth``, ``NAME/``; safetensors first."""
    folder = _brought_folder()
    for name in (published.name, *published.aliases):
        for ending in _ENDINGS:
            yield from filter(Path.is_file, [folder / f"{name}{ending}"])
            yield from (path for mark in ".-" for path in sorted(folder.glob(f"{name}{mark}*{ending}")))
        if (folder / name).is_dir() and (inside := _in_folder(folder / name)) is not None:
            yield inside


def _brought_folder() -> Path:
    return config_dir() / "weights"


def _kept(sha256: str) -> Path | None:
    """The copy of a file that was kept by its hash; None where there is none, or it was damaged since."""
    return next((path for path in _folder(sha256).glob("weights.*") if sha256_of(path) == sha256), None)


def _folder(sha256: str) -> Path:
    return cache_dir() / "weights" / sha256


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _numbers(values: Any) -> tuple[float, ...]:
    whole = isinstance(values, list) and all(isinstance(value, int | float) for value in values)
    return tuple(map(float, values)) if whole else ()
