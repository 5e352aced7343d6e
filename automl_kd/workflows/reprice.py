"""The finished trials of a study at another device's prices, without training or a new study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict

from automl_kd.core import DEFAULT_STORAGE, UserError
from automl_kd.hardware import Profile, load_profile
from automl_kd.objectives import Objective, Point, pareto_front
from automl_kd.results import Observer, Price, PriceError, Repriced, RepricedTrial, TrialResult, UnfitTrial, sharing
from automl_kd.storage import Database
from automl_kd.studies.delivered import open_recipe_task
from automl_kd.studies.integers import form_fault
from automl_kd.studies.lookup import the_study
from automl_kd.studies.objectives import KnownObjective, StudyObjectives
from automl_kd.studies.pricing import Limits, Priced, Pricing
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.summary import summarize
from automl_kd.tasks import Task

_Held = list[tuple[TrialResult, Priced]]


def reprice(
    study: str | None = None,
    *,
    hw: str,
    max_latency: str | float | None = None,
    max_params: str | float | None = None,
    max_memory: str | float | None = None,
    objectives: Sequence[str] = (),
    storage: str = DEFAULT_STORAGE,
    allow_code: bool = False,
    observer: Observer | None = None,
) -> Repriced:
    """Price a study's finished trials for another device, and look which of them are on the front there.

    Prices are those that a search with ``from_study`` would give them; scores stay as they are.

    Args:
        study: The study's name; None for the only one.
        hw: The other device by name or path.
        max_latency: Leave out what is predicted slower there, such as ``4ms``; a number is in ms.
        max_params: Leave out what has more parameters.
        max_memory: Leave out what needs more memory there.
        objectives: Prices that the front is of, as of a search; by default the study's own.
        storage: Database URL or path of an SQLite file.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
        observer: Told where this machine has to be calibrated first.

    Raises:
        UserError: If there is no such study or device, or the study has no finished trial.
    """
    database = Database(storage, create=False)
    name = the_study(database, study)
    summary = summarize(database, name)
    if not summary.complete:
        raise UserError(f"study {name} has no finished trial yet; automl-kd status --study {name} tells how far it is")
    limits = SearchRequest(
        hw=hw, budget=1, max_latency=max_latency, max_params=max_params, max_memory=max_memory
    ).limits
    asked = SearchRequest(hw=hw, budget=1, objectives=tuple(objectives or _words(summary.objectives, hw)))
    known = StudyObjectives(summary.objective, asked.known)
    profile = load_profile(hw, progress=sharing(observer or Observer(), "calibrate"))
    _check_energy(known, profile)
    others = {each.device: load_profile(each.device, beside=profile) for each in known.known if each.device}
    first = summary.complete[0]
    task = open_recipe_task(first.recipe, f"trial {first.trial} of study {name}")
    pricing = Pricing(task, profile, others, allow_code)
    held, unfit = _priced(summary.complete, task, profile, pricing, limits)
    before = {each.trial for each in summary.front}
    points = [Point(each.trial, (each.score, *map(price.value, known.known))) for each, price in held]
    front = pareto_front(points, known.all)
    now = {point.trial for point in front}
    return Repriced(
        study=name,
        task=summary.task,
        hw_before=summary.hw,
        hw=profile.name,
        key=profile.key,
        latency_error=PriceError(**asdict(profile.latency_error())),
        notes=profile.notes,
        extrapolated=pricing.extrapolated([each.recipe for each, _ in held]) if held else {},
        limits=limits,
        objectives=known.all,
        trials=_rows(held, points, known, before, now),
        front=tuple(point.trial for point in front),
        entered=tuple(sorted(now - before)),
        left=tuple(sorted(before - now)),
        unfit=tuple(
            UnfitTrial(trial=each.trial, score=each.score, on_front_before=each.trial in before, reason=reason)
            for each, reason in unfit
        ),
    )


def _words(objectives: Sequence[Objective], hw: str) -> tuple[str, ...]:
    """Prices of a study as a user names them, the other device's latency once."""
    known = [KnownObjective.of_name(each.name) for each in objectives if each.known]
    words = [each.quantity if each.device in (None, hw) else f"{each.quantity}@{each.device}" for each in known]
    return tuple(dict.fromkeys(words))


def _check_energy(known: StudyObjectives, profile: Profile) -> None:
    asked = any(each.quantity == "energy" for each in known.known)
    refusal = profile.objective_refusal("energy") if asked else None
    if refusal is not None:
        raise UserError(f"objective energy: {refusal}")


def _priced(
    trials: Sequence[TrialResult], task: Task, profile: Profile, pricing: Pricing, limits: Limits
) -> tuple[_Held, list[tuple[TrialResult, str]]]:
    """The trials that the device holds with their prices, and why it does not hold the others."""
    held: _Held = []
    unfit = []
    for each in trials:
        fault = form_fault(each.recipe.compress, task, profile)
        if fault is not None:
            unfit.append((each, fault.reason))
            continue
        try:
            (price,) = pricing.price([each.recipe])
        except UserError as error:
            unfit.append((each, str(error)))
            continue
        excess = limits.excess(price)
        if excess is None:
            held.append((each, price))
        else:
            unfit.append((each, excess))
    return held, unfit


def _rows(
    held: _Held, points: Sequence[Point], known: StudyObjectives, before: Set[int], now: Set[int]
) -> tuple[RepricedTrial, ...]:
    """The trials, fastest first."""
    there = _places({each.trial: price.here.ms for each, price in held})
    here = _places({each.trial: each.latency_ms for each, _ in held})
    rows = [
        RepricedTrial(
            trial=each.trial,
            score=each.score,
            metrics=each.metrics,
            objectives=known.values(point.values),
            epochs=each.epochs,
            form=each.recipe.form,
            price=price.stored(),
            before=Price(**{field: getattr(each, field) for field in Price.model_fields}),
            place=there[each.trial],
            place_before=here[each.trial],
            on_front=each.trial in now,
            on_front_before=each.trial in before,
        )
        for (each, price), point in zip(held, points, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.place))


def _places(ms: Mapping[int, float]) -> dict[int, int]:
    """Places by latency, 1 the fastest; those of equal latency share one."""
    return {trial: 1 + sum(other < each for other in ms.values()) for trial, each in ms.items()}
