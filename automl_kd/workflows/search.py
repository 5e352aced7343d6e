"""The main job: search students and their distillation together, then distil the best in full."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.core import DEFAULT_STORAGE
from automl_kd.results import Observer
from automl_kd.storage import Database
from automl_kd.studies.clock import StopRequest
from automl_kd.studies.preparation import prepare
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.runner import StudyInputs, StudyRunner
from automl_kd.studies.summary import result_document, summarize


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        study: The study's name, for other verbs.
        storage: Where it is.
        document: The same as ``search --json`` prints.
    """

    study: str
    storage: str
    document: dict[str, Any]

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front of the search, fastest first."""
        return list(self.document["front"])

    @property
    def picks(self) -> list[dict[str, Any]]:
        """The picks that were distilled in full."""
        return list(self.document["picks"])


def search(
    hw: str,
    budget: str | float,
    *,
    task: str = "digits",
    data: str | None = None,
    teacher: str | None = None,
    space: str = "tiny_cnn",
    pins: Sequence[str] = (),
    max_latency: str | float | None = None,
    max_params: str | float | None = None,
    max_memory: str | float | None = None,
    study: str | None = None,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    seed: int = 0,
    sampler: str = "known-cost",
    fidelity: str = "halving",
    device: str = "auto",
    extend: str | float | None = None,
    max_disk: str | float | None = None,
    allow_code: bool = False,
    executor: str = "process",
    address: str | None = None,
    per_trial: str | None = None,
    from_study: Sequence[str] = (),
    stop_when_flat: bool = False,
    trial_timeout: str | float | None = None,
    trial_memory: str | float | None = None,
    observer: Observer | None = None,
) -> SearchResult:
    """Search student architecture and distillation recipe together for a device.

    Called again with the same arguments it resumes: time used before counts, nothing finished is done twice.

    Args:
        hw: A device profile by name or path.
        budget: Time in all, such as ``"3m"`` or ``"48h"``: teacher, search, and full distillation of the picks.
        task: A built-in task, or the path of a task file.
        data: Data instead of those that the task names.
        teacher: A teacher instead of the one that the task names: ``teacher.onnx``, ``teacher.pt@{family: resnet, …}``,
            or any other form; several are joined by `` + ``.
        space: A search space by name or path.
        pins: Holes to fill, ``path=value`` each.
        max_latency: Candidates predicted slower are never trained; milliseconds, or such as ``"4ms"``.
        max_params: The same for the number of parameters.
        max_memory: The same for weights and activations together, in bytes.
        study: Name of the study; by default from task, device and space.
        storage: Database URL or path of an SQLite file.
        workers: Trainings at a time on this machine; by default one a core, or one on a GPU. More join over the
            database (``automl-kd worker``); with 0 those alone work.
        seed: Of the sampler and of the students' weights.
        sampler: ``"known-cost"``, or one of Optuna's: ``"tpe"``, ``"nsga2"``, ``"random"``, ``"gp"``.
        fidelity: ``"halving"``: candidates are compared at thirds of a search run, and only the promising go on;
            ``"none"``: every candidate is trained for a whole search run.
        device: Where students train: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        extend: Time to add to the study's budget.
        max_disk: Bytes that the study's files may take.
        allow_code: Whether the space's losses of the user's own may be loaded, which runs their files.
        executor: ``"process"`` for worker processes of this machine and those that join; ``"inline"`` for one thread of
            this process, where a debugger sees it; ``"ray"`` for a Ray cluster (extra ``ray``): there ``workers`` is by
            default what its nodes hold, as they join and leave.
        address: Of the Ray cluster: ``"host:port"``, ``"ray://host:port"``, ``"local"`` for one of this process; by
            default ``$RAY_ADDRESS``, else the one that runs on this machine, else one of this process.
        per_trial: What one trial takes of the Ray cluster, such as ``"cpu=1,gpu=0.25"``; by default one core, and one
            GPU where students train on it.
        from_study: Earlier studies of the same task and teacher, whose finished trials are taken over where the space
            holds them: for another device only their price is another.
        stop_when_flat: End the search before its time once hardly any improvement is expected.
        trial_timeout: How long a training may make no step before it counts as hanging; by default 10 minutes.
        trial_memory: What a training's process may take; by default its share of the machine's memory.
        observer: Told what happens.

    Raises:
        UserError: If something is wrong with what was asked, or the study cannot go on.
        Interrupted: If a signal ended it; the same call goes on.
    """
    request = SearchRequest(
        hw=hw,
        budget=budget,
        task=task,
        data=data,
        teacher=teacher,
        space=space,
        pins=tuple(pins),
        max_latency=max_latency,
        max_params=max_params,
        max_memory=max_memory,
        study=study,
        storage=storage,
        workers=workers,
        seed=seed,
        sampler=sampler,
        fidelity=fidelity,
        device=device,
        extend=extend,
        max_disk=max_disk,
        allow_code=allow_code,
        executor=executor,
        address=address,
        per_trial=per_trial,
        from_study=tuple(from_study),
        stop_when_flat=stop_when_flat,
        trial_timeout=trial_timeout,
        trial_memory=trial_memory,
    )
    return run_search(request, observer or Observer())


def run_search(request: SearchRequest, observer: Observer) -> SearchResult:
    """As :func:`search`, from a request."""
    began = time.monotonic()
    stop = StopRequest()
    with stop.listening():
        database = Database(request.storage)
        parts = StudyInputs(request, observer, stop, database, prepare(request, database, observer))
        with database.lease(request.name) as lease, database.user_errors():
            StudyRunner(parts, lease, began).run()
    return SearchResult(request.name, database.url, result_document(summarize(database, request.name)))
