"""Which devices there are, and what a model file costs on one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile, load_profile, profile_names
from automl_kd.results import Observer, sharing


def list_devices() -> dict[str, Any]:
    """The devices with a profile, the ways to run networks on them, and how far off predictions are.

    Returns:
        ``devices`` (``name`` and ``targets``) and ``unreadable``: what is wrong with profiles that cannot be read.
    """
    devices, unreadable = [], []
    for name in profile_names():
        try:
            file = load_profile(name).file
        except UserError as error:
            unreadable.append(str(error))  # one damaged file of a user's own hides no other device
            continue
        names = sorted(file.targets, key=lambda target: target != file.default)
        targets = [_target_document(target, Profile(name, file, target)) for target in names]
        devices.append({"name": name, "targets": targets})
    return {"devices": devices, "unreadable": unreadable}


def _target_document(target: str, profile: Profile) -> dict[str, Any]:
    return {
        "target": target,
        "name": profile.name,
        "key": profile.key,
        "runtime": profile.target.runtime,
        "precision": profile.target.precision,
        **profile.latency_error().document(),
    }


def predict_latency(
    model: str | Path,
    hw: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    inputs: Mapping[str, tuple[int, ...]] | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """What a model file costs on a device, and where the time goes.

    Args:
        model: An ONNX file.
        hw: A device by name or path.
        input_shape: Sizes of one input behind its first axis, where the model leaves them open.
        inputs: Whole shapes of inputs by name.
        observer: Told where this machine has to be calibrated first.

    Returns:
        ``ms``, ``low`` and ``high`` (a 90 % interval), ``coverage``, ``memory_bytes``, ``params``, ``flops``, ``hw``,
        ``extrapolated`` (shares of the time in kinds of kernel that no measured network holds), ``ranks_only`` (whether
        the profile tells which of two is faster, no more), ``notes`` and ``parts``.

    Raises:
        UserError: If the device is unknown, the file is no ONNX, or it does not fit the device.
    """
    profile = load_profile(hw, progress=sharing(observer or Observer(), "calibrate"))
    found = profile.explain(model, input_shape, inputs=dict(inputs or {}))
    price = found.prediction
    if not price.fits:
        raise UserError(
            f"{model} does not fit {profile.name}: {price.missing_bytes / 1e6:.3g} MB of memory are missing"
        )
    return {
        "ms": price.ms,
        "low": price.low,
        "high": price.high,
        "coverage": price.coverage,
        "memory_bytes": price.memory_bytes,
        "params": price.params,
        "flops": price.flops,
        "hw": profile.name,
        "extrapolated": {kind.value: share for kind, share in found.extrapolated.items()},
        "ranks_only": profile.ranks_only,
        "notes": list(price.notes),
        "parts": [asdict(part) for part in found.parts],
    }
