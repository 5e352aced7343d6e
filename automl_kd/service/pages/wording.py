"""What pages say, worked out by a helper process: words and drawings of what the API gives as documents.

The service imports this file to name what it wants said; what loads torch is imported where it is used. Documents are
the matter of :mod:`automl_kd.service.chores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_kd.core import finite, yaml_names
from automl_kd.service.pages.device_words import device_words


def search_words(storage: str, study: str) -> dict[str, Any] | None:
    """All that the page of a search says of its study; None as long as it is not begun."""
    from automl_kd.service.pages import findings

    return findings.search_words(storage, study)


def trials_meeting(storage: str, study: str, where: str) -> list[int]:
    """The finished trials of a study that meet a rule."""
    from automl_kd.service.pages import findings

    return findings.trials_meeting(storage, study, where)


def trial_words(storage: str, study: str, number: int) -> dict[str, Any]:
    """All that the page of a trial says."""
    from automl_kd.service.pages import trial_findings

    return trial_findings.trial_words(storage, study, number)


def comparison_words(storage: str, study: str, trials: list[int]) -> dict[str, Any]:
    """Two or three trials beside each other."""
    from automl_kd.service.pages import trial_findings

    return trial_findings.comparison_words(storage, study, trials)


def reprice_words(storage: str, study: str, hw: str, max_latency: str | None) -> dict[str, Any]:
    """The finished trials of a study at another device's prices."""
    from automl_kd.service.pages import trial_findings

    return trial_findings.reprice_words(storage, study, hw, max_latency)


def understood_words(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was read of task and teacher before a search, a title and a sentence each."""
    from automl_kd.delivery import understood_rows

    return understood_rows(document)


def form_choices() -> dict[str, Any]:
    """What the form of a new search offers: devices with their errors, tasks, spaces, samplers."""
    from automl_kd.samplers import SAMPLERS
    from automl_kd.tasks import task_names
    from automl_kd.workflows.devices import list_devices

    devices = [target for each in finite(list_devices())["devices"] for target in each["targets"]]
    return {
        "hw": [(each["name"], device_words(each)) for each in devices],
        "task": list(task_names()),
        "space": list(yaml_names("search_spaces")),
        "sampler": [name for name, _ in SAMPLERS.items()],
    }
