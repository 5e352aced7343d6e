"""What a search is asked for: the one list of options for the command line, Python and HTTP."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

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

# The command line's help is made from this module: what imports torch, optuna or numpy is imported where it is used.
if TYPE_CHECKING:
    from automl_kd.execution import ExecutorOptions
    from automl_kd.recipes import Space
    from automl_kd.studies.objectives import KnownObjective
    from automl_kd.studies.pricing import Limits

Quantity = str | int | float
"""A number, or a number with its unit as a user writes it."""
_SEEDS = 2**62
_SAMPLER, _EXECUTOR = "known-cost", "process"
_EXECUTOR_OPTIONS = ("address", "per_trial", "trial_timeout", "trial_memory")
"""Options that not every executor takes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class SearchRequest(BaseModel):
    """The arguments of a search, as the user wrote them. A mistake is told when the request is made.

    A field's ``flag`` and ``metavar`` are how the command line spells it, where that is not the field's own name.

    >>> SearchRequest(hw="jetson-nano", budget="3m", max_latency="4ms").seconds
    180.0

    Raises:
        UserError: If a value cannot be read or two contradict each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hw: Annotated[str, Field(description="Device to search for, by name or path; see automl-kd hw list.")]
    budget: Annotated[
        Quantity,
        Field(description="Time in all: 90s, 3m, 48h, 1h30m; teacher, search, and full distillation of the picks."),
    ]
    task: Annotated[str, Field(description="Built-in task or path of a task file.")] = "digits"
    data: Annotated[str | None, Field(description="Data instead of those that the task names.")] = None
    metric: Annotated[
        str | None, Field(description="What students are compared by, instead of the task's: accuracy, macro_f1, ….")
    ] = None
    objectives: Annotated[
        tuple[str, ...],
        Field(
            description="What is made small beside a good score: latency (the default), memory, energy, size,"
            " latency@DEVICE; up to three.",
            json_schema_extra={"flag": "--objective", "metavar": "PRICE"},
        ),
    ] = ()
    teacher: Annotated[
        str | None,
        Field(
            description="Teacher instead of the task's: t.onnx, t.pt2, t.pt@{family: resnet, …}; 'a + b' for several."
        ),
    ] = None
    space: Annotated[
        str | None, Field(description="Search space by name or path; by default one for inputs like the task's.")
    ] = None
    pins: Annotated[
        tuple[str, ...],
        Field(description="Fill a hole of the space.", json_schema_extra={"flag": "--set", "metavar": "PATH=VALUE"}),
    ] = ()
    max_latency: Annotated[
        Quantity | None, Field(description="Never train what is predicted slower, e.g. 4ms; a number is in ms.")
    ] = None
    max_params: Annotated[Quantity | None, Field(description="Never train what has more parameters, e.g. 100k.")] = None
    max_memory: Annotated[
        Quantity | None, Field(description="Never train what needs more memory, e.g. 512KB; a number is in bytes.")
    ] = None
    study: Annotated[str | None, Field(description="Name of the study; by default <task>-<hw>-<space>.")] = None
    workers: Annotated[
        int | None,
        Field(
            description="Trainings at a time here; by default one a core, or what the cluster holds; 0 leaves the work"
            " to automl-kd worker."
        ),
    ] = None
    seed: Annotated[int, Field(description="Of the sampler and of the students' weights.")] = 0
    sampler: Annotated[
        str, Field(description="What proposes candidates: known-cost, or one of Optuna's: tpe, nsga2, random, gp.")
    ] = _SAMPLER
    fidelity: Annotated[
        Literal["halving", "none"],
        Field(description="halving: only promising candidates are trained on; none: all are."),
    ] = "halving"
    device: Annotated[str, Field(description="Where students train: auto, cpu or cuda.")] = "auto"
    extend: Annotated[Quantity | None, Field(description="Time to add to the study's budget.")] = None
    max_disk: Annotated[Quantity | None, Field(description="What the study's files may take, e.g. 2GB.")] = None
    executor: Annotated[
        str, Field(description="Where students train: process (which automl-kd worker joins), inline or ray.")
    ] = _EXECUTOR
    address: Annotated[str | None, Field(description="Of the Ray cluster: host:port, ray://host:port, local.")] = None
    per_trial: Annotated[
        str | None, Field(description="What a trial takes of the Ray cluster, e.g. cpu=1,gpu=0.25.")
    ] = None
    from_study: Annotated[
        tuple[str, ...],
        Field(
            description="Take over what an earlier study of this task and teacher finished.",
            json_schema_extra={"metavar": "STUDY"},
        ),
    ] = ()
    stop_when_flat: Annotated[bool, Field(description="End the search once hardly any improvement is expected.")] = (
        False
    )
    trial_timeout: Annotated[
        Quantity | None, Field(description="A training without a step for so long is ended; by default 10m.")
    ] = None
    trial_memory: Annotated[
        Quantity | None, Field(description="A training that takes more memory is ended, e.g. 4GB.")
    ] = None
    allow_code: Annotated[
        bool,
        Field(description="Run the files of losses and model spaces that you wrote and the recipe names."),
    ] = False
    storage: Annotated[
        str,
        Field(
            description="Database URL, or the path of an SQLite file.",
            json_schema_extra={"metavar": "URL"},
        ),
    ] = DEFAULT_STORAGE

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise _told(error) from None

    @model_validator(mode="after")
    def _read(self) -> Self:
        # Every value is read once here, so that a mistake is reported before anything starts.
        _ = self.seconds, self.extension, self.limits, self.disk, self.resources, self.silence, self.memory, self.known
        self._check_sampler()
        self._check_executor()
        if not 0 <= self.seed < _SEEDS:
            raise UserError(f"seed {self.seed}: must be from 0 to {_SEEDS - 1}")
        if not _NAME.fullmatch(self.name) or self.name == "artifacts" or self.name.endswith("-picks"):
            raise UserError(
                f"study name {self.name!r}: write letters, digits, '.', '_' and '-', beginning with a letter or digit;"
                " 'artifacts' and names ending in '-picks' are taken"
            )
        if self.device != "auto" and self.device.split(":")[0] not in ("cpu", "cuda"):
            raise UserError(f"device {self.device!r}: write auto, cpu or cuda")
        return self

    @field_validator("sampler")
    @classmethod
    def _is_a_sampler(cls, name: str) -> str:
        if name != _SAMPLER:  # the usual one need not be looked up
            from automl_kd.samplers import SAMPLERS

            SAMPLERS.find(name)
        return name

    @field_validator("executor")
    @classmethod
    def _is_an_executor(cls, name: str) -> str:
        if name != _EXECUTOR:
            from automl_kd.execution import EXECUTORS

            EXECUTORS.find(name)
        return name

    def _check_sampler(self) -> None:
        if not self.stop_when_flat:
            return
        from automl_kd.samplers import SAMPLERS

        if not SAMPLERS[self.sampler].knows_worth:
            able = ", ".join(name for name, each in SAMPLERS.items() if each.knows_worth)
            raise UserError(
                f"stop_when_flat: sampler {self.sampler} cannot tell what improvement it expects; use sampler {able}"
            )

    def _check_executor(self) -> None:
        given = {name: getattr(self, name) for name in _EXECUTOR_OPTIONS if getattr(self, name) is not None}
        if self.executor == _EXECUTOR and self.workers is None and not given:
            return
        from automl_kd.execution import EXECUTORS

        spec = EXECUTORS[self.executor]
        least = 0 if spec.joined else 1
        if self.workers is not None and self.workers < least:
            nobody = "; 0 leaves the work to automl-kd worker" if spec.joined else ""
            raise UserError(f"workers {self.workers}: must be at least {least}{nobody}")
        if spec.most is not None and self.workers is not None and self.workers > spec.most:
            most = "one" if spec.most == 1 else f"at most {spec.most}"
            raise UserError(f"workers {self.workers}: executor {self.executor} has {most}")
        for option, value in given.items():
            if option not in spec.takes:
                able = " or ".join(name for name, each in EXECUTORS.items() if option in each.takes)
                raise UserError(f"{option} {value!r}: only for executor {able}")

    @cached_property
    def seconds(self) -> float:
        """The budget."""
        return parse_duration(self.budget, "budget")

    @cached_property
    def extension(self) -> float:
        """Seconds to add to the study's budget."""
        return 0.0 if self.extend is None else parse_duration(self.extend, "extend")

    @cached_property
    def known(self) -> tuple[KnownObjective, ...]:
        """The prices that are made small."""
        from automl_kd.studies.objectives import parse_objectives

        return parse_objectives(self.objectives, self.hw)

    @cached_property
    def limits(self) -> Limits:
        """What a candidate may cost."""
        from automl_kd.studies.pricing import Limits

        return Limits(
            max_latency_ms=parse_latency(self.max_latency),
            max_params=parse_count(self.max_params),
            max_memory_bytes=parse_bytes(self.max_memory),
        )

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
        """The study's name; where the space is left to the task, it has its part in it once :meth:`in_space` said."""
        parts = (self.task, self.hw, self.space)
        return self.study or "-".join(_plain(part) for part in parts if part is not None)

    @property
    def space_name(self) -> str:
        """The space, which a search settles before all else."""
        assert self.space is not None
        return self.space

    def in_space(self, space: str) -> SearchRequest:
        """The same request for a space that it did not name."""
        return self.model_copy(update={"space": space})

    @property
    def earlier(self) -> list[str]:
        """Other studies, to take over from."""
        return [name for name in self.from_study if name != self.name]

    def rungs(self, space: Space, examples: int) -> tuple[int, ...]:
        """The epochs at which candidates are compared.

        Args:
            space: The search space, which says how rungs are spaced.
            examples: Size of the training split.
        """
        if self.fidelity == "none":
            return (space.search_epochs,)
        from automl_kd.studies.policy import rung_epochs

        return rung_epochs(space.search_epochs, examples, space.halving.reduction)

    @property
    def executor_options(self) -> ExecutorOptions:
        """What is asked of the executor."""
        from automl_kd.execution import ExecutorOptions

        return ExecutorOptions(
            device=self.device,
            workers=self.workers,
            address=self.address,
            resources=self.resources,
            silent_seconds=self.silence,
            memory_bytes=self.memory,
        )

    def worker_count(self) -> int:
        """Trainings at a time: by default one a core, or one on a GPU that all would share."""
        if self.workers is not None:
            return self.workers
        from automl_kd.execution import usual_workers

        return usual_workers(self.device)


def _told(error: ValidationError) -> UserError:
    """The first mistake in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return unknown("option", place, list(SearchRequest.model_fields))
    if first["type"] == "tuple_type":
        return UserError(f"{place} {first['input']!r}: write a list, for example [{first['input']!r}]")
    if first["type"] == "literal_error":
        return unknown(place, first["input"], get_args(SearchRequest.model_fields[place].annotation))
    if first["type"] == "missing":
        return UserError(f"{place}: is missing; {SearchRequest.model_fields[place].description}")
    return UserError(f"{place} {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}")


def _plain(name: str) -> str:
    """A name as it is, a path as the name of its file, without what a study's name cannot hold."""
    stem = Path(name).stem if os.sep in name or name.endswith((".yaml", ".yml")) else name
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem)
