"""A profile that holds what was measured, and nothing that was not."""

from __future__ import annotations

from automl_kd.hardware._profile import Profile
from automl_kd.hardware._schema import Fit


def measured_profile(profile: Profile, fitted: Fit, runtime_version: str, name: str) -> Profile:
    """A profile whose only target is the one that was measured, with its fit and the version it was measured under."""
    key = next(key for key, target in profile.file.targets.items() if target is profile.target)
    update = {"fit": fitted, "runtime_version": runtime_version}
    target = profile.target.model_copy(update=update)
    return Profile(name, profile.file.model_copy(update={"default": key, "targets": {key: target}}))
