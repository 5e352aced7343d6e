"""Profiles by name: those of the project and the user's own."""

from __future__ import annotations

import os
from typing import get_args

from automl_kd.core import UserError, find_yaml, unknown, yaml_names
from automl_kd.hardware.datasheet import Precision
from automl_kd.hardware.measurement.latency import Progress
from automl_kd.hardware.profile import Profile
from automl_kd.hardware.profile_file import read_profile


def profile_names() -> tuple[str, ...]:
    """Names that ``load_profile`` knows: the profiles of the project and the user's own."""
    return tuple(yaml_names("hardware_profiles"))


def load_profile(name: str, progress: Progress | None = None, beside: Profile | None = None) -> Profile:
    """The profile of a device.

    Args:
        name: One of ``profile_names()`` or a path to a YAML file; ``:`` and a target select another than the default,
            as in ``jetson-nano:ncnn-vulkan``.
        progress: Called with the share done (0 to 1) and a word on it while the device is being calibrated, which
            happens at the first price on a profile that is measured on this machine.
        beside: A profile that prices the same plans; each block of them is then traced once for both.

    Raises:
        UserError: If there is no such profile or target, or the file is wrong.
    """
    device, colon, target = name.rpartition(":")
    if not colon or os.sep in target:
        device, target = name, ""
    path = find_yaml("hardware_profiles", "device", device)
    file = read_profile(path)
    if colon and device != name and target not in file.targets:
        asked = target.rpartition("-")[2]
        if asked in get_args(Precision) and asked not in (has := {each.precision for each in file.targets.values()}):
            raise UserError(
                f"{path.stem} has no target in {asked}; it has {', '.join(sorted(has))}: {', '.join(file.targets)}"
            )
        raise unknown(f"target of {path.stem}", target, file.targets)
    return Profile(path.stem, file, target or None, progress, beside)
