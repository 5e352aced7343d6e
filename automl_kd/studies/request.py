"""What a search is asked for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from automl_kd.core import (
    DEFAULT_STORAGE,
    UserError,
    parse_bytes,
    parse_count,
    parse_duration,
    parse_latency,
    parse_resources,
    unknown,
)
from automl_kd.execution import usual_workers
from automl_kd.recipes import Space
from automl_kd.studies.policy import rung_epochs
from automl_kd.studies.proposer import Limits
from automl_kd.studies.sampling import SAMPLERS

FIDELITIES = ("halving", "none")
EXECUTORS = ("process", "inline", "ray")
_SEEDS = 2**62
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True)
class SearchRequest:
    """The arguments of ``search``, as the user wrote them; see there."""

    hw: str
    budget: str | float
    task: str = "digits"
    data: str | None = None
    teacher: str | None = None
    space: str = "tiny_cnn"
    pins: tuple[str, ...] = ()
    max_latency: str | float | None = None
    max_params: str | float | None = None
    max_memory: str | float | None = None
    study: str | None = None
    storage: str = DEFAULT_STORAGE
    workers: int | None = None
    seed: int = 0
    sampler: str = "known-cost"
    fidelity: str = "halving"
    device: str = "auto"
    extend: str | float | None = None
    max_disk: str | float | None = None
    allow_code: bool = False
    from_study: tuple[str, ...] = ()
    stop_when_flat: bool = False
    trial_timeout: str | float | None = None
    trial_memory: str | float | None = None
    executor: str = "process"
    address: str | None = None
    per_trial: str | None = None

    def __post_init__(self) -> None:
        # Every value is read once here, so that a mistake is reported before anything starts.
        _ = self.seconds, self.extension, self.limits, self.disk, self.resources, self.silence, self.memory
        if self.sampler not in SAMPLERS:
            raise unknown("sampler", self.sampler, list(SAMPLERS))
        if self.fidelity not in FIDELITIES:
            raise unknown("fidelity", self.fidelity, list(FIDELITIES))
        if self.executor not in EXECUTORS:
            raise unknown("executor", self.executor, EXECUTORS)
        least = 0 if self.executor == "process" else 1
        if self.workers is not None and self.workers < least:
            nobody = "; 0 leaves the work to automl-kd worker" if least == 0 else ""
            raise UserError(f"workers {self.workers}: must be at least {least}{nobody}")
        if self.executor == "inline" and self.workers not in (None, 1):
            raise UserError(f"workers {self.workers}: executor inline has one")
        for option, value, only in (
            ("address", self.address, "ray"),
            ("per_trial", self.per_trial, "ray"),
            ("trial_timeout", self.trial_timeout, "process"),
            ("trial_memory", self.trial_memory, "process"),
        ):
            if value is not None and self.executor != only:
                raise UserError(f"{option} {value!r}: only for executor {only}")
        if not 0 <= self.seed < _SEEDS:
            raise UserError(f"seed {self.seed}: must be from 0 to {_SEEDS - 1}")
        if not _NAME.fullmatch(self.name) or self.name == "artifacts" or self.name.endswith("-picks"):
            raise UserError(
                f"study name {self.name!r}: write letters, digits, '.', '_' and '-', beginning with a letter or digit;"
                " 'artifacts' and names ending in '-picks' are taken"
            )
        if self.device != "auto" and self.device.split(":")[0] not in ("cpu", "cuda"):
            raise UserError(f"device {self.device!r}: write auto, cpu or cuda")

    @cached_property
    def seconds(self) -> float:
        """The budget."""
        return parse_duration(self.budget, "budget")

    @cached_property
    def extension(self) -> float:
        """Seconds to add to the study's budget."""
        return 0.0 if self.extend is None else parse_duration(self.extend, "extend")

    @cached_property
    def limits(self) -> Limits:
        """What a candidate may cost."""
        return Limits(parse_latency(self.max_latency), parse_count(self.max_params), parse_bytes(self.max_memory))

    @cached_property
    def disk(self) -> float | None:
        """Bytes that the study's files may take."""
        return parse_bytes(self.max_disk, "max_disk")

    @cached_property
    def resources(self) -> dict[str, float] | None:
        """What one trial takes of a Ray cluster, in Ray's names."""
        return None if self.per_trial is None else parse_resources(self.per_trial)

    @cached_property
    def silence(self) -> float | None:
        """Seconds that a training may make no step."""
        return None if self.trial_timeout is None else parse_duration(self.trial_timeout, "trial_timeout")

    @cached_property
    def memory(self) -> float | None:
        """Bytes that a training's process may take."""
        return parse_bytes(self.trial_memory, "trial_memory")

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study or "-".join(_plain(part) for part in (self.task, self.hw, self.space))

    @property
    def earlier(self) -> list[str]:
        """Other studies, to take over from."""
        return [name for name in self.from_study if name != self.name]

    def rungs(self, space: Space, images: int) -> tuple[int, ...]:
        """The epochs at which candidates are compared.

        Args:
            space: The search space, which says how rungs are spaced.
            images: Size of the training split.
        """
        if self.fidelity == "none":
            return (space.search_epochs,)
        return rung_epochs(space.search_epochs, images, space.halving.reduction)

    def worker_count(self) -> int:
        """Trainings at a time: by default one a core, or one on a GPU that all would share."""
        return usual_workers(self.device) if self.workers is None else self.workers


def _plain(name: str) -> str:
    """A name as it is, a path as the name of its file, without what a study's name cannot hold."""
    stem = Path(name).stem if os.sep in name or name.endswith((".yaml", ".yml")) else name
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem)
