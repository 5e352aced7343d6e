"""A profile of the device at hand: a kit to measure it, the calibration on what came back, training on this machine."""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from automl_kd import students
from automl_kd.core import (
    Interrupted,
    Signature,
    UserError,
    config_dir,
    find_yaml,
    parse_duration,
    shipped_dir,
    write_text,
)
from automl_kd.delivery import hardware_report
from automl_kd.hardware import (
    Candidate,
    Kit,
    KitTarget,
    MeasuredNetwork,
    Profile,
    TrainingStep,
    load_profile,
    read_kit,
    read_results,
    train_profile,
    write_kit,
)
from automl_kd.recipes import Space, load_space
from automl_kd.results import Observer, Snapshot, sharing
from automl_kd.tasks import open_task

_POOL = 300
_SAMPLES_PER_CANDIDATE = 4
_SEED = 0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_TRAINED = "measured while training on space"


def hardware_kit(
    hw: str,
    *,
    space: str = "tiny_cnn",
    count: int = 20,
    out: str | Path = "kit",
    task: str = "digits",
    input_shape: tuple[int, ...] | None = None,
    models: Sequence[str | Path] = (),
    inputs: Mapping[str, tuple[int, ...]] | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Write a folder to carry to a device: informative networks of a space as ONNX files, and a script that times them.

    Args:
        hw: The profile to improve, by name or path.
        space: Where the networks come from.
        count: How many, besides two sentinels.
        out: Folder to write; new or empty.
        task: Gives what the networks take and answer.
        input_shape: Instead of the task's: sizes of one input, (C, H, W) of an image.
        models: ONNX files of your own, to be measured besides.
        inputs: Whole shapes of their inputs by name, where they leave sizes open.
        observer: Told how far it is.

    Returns:
        ``path``, ``hw``, ``key``, ``space``, ``study`` (None), ``models`` (as in ``kit.json``), ``bytes`` and
        ``notes`` (what the predictions rest on).

    Raises:
        UserError: If the profile, space or task is unknown, the count too small or too large, or the folder not empty.
    """
    observer = observer or Observer()
    profile = load_profile(hw, progress=sharing(observer, "calibrate"))
    candidates = _candidates(load_space(space), _signature(task, input_shape))
    own, progress = [Path(model) for model in models], sharing(observer, "kit")
    kit = write_kit(Path(out), profile, hw, space, candidates, count, progress, own=own, inputs=inputs)
    return kit_document(out, kit, profile)


def calibrate_hardware(
    results: str | Path,
    name: str,
    *,
    kit: str | Path | None = None,
    hw: str | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Refit a profile on what ``measure.py`` measured, and keep it among the user's own.

    Args:
        results: The JSON lines that came back from the device.
        name: Of the new profile.
        kit: The kit they belong to, by default the folder that the results are in.
        hw: The profile to begin with, by default the one that the kit was made with.
        observer: Told where this machine has to be calibrated first.

    Returns:
        ``name``, ``path``, ``key``, ``latency_error``, ``pairs``, ``error_before`` and ``error_after`` (medians of the
        relative error; the latter on networks left out), ``repeat_error``, ``label``, ``kept`` (how many networks that
        the profile was fitted on before keep counting), ``rules`` and ``networks`` (``model``, ``measured_ms``,
        ``before_ms``, ``left_out_ms``). ``rules`` holds those by which the device executes
        networks, ``zeros``, ``dead`` and ``queued``, each with what was ``chosen``, what was ``given`` before, and how
        ``sure`` that is (None where the networks cannot tell), and the mean left-out errors ``error`` and
        ``given_error``.

    Raises:
        UserError: If the results are damaged, noisy, fewer than five, or of another kit or target, if their times fit
            no rules, or the name is taken.
    """
    path = _free(name)
    folder, listed = kit_of(results, kit)
    profile = load_profile(hw or listed.hw, progress=sharing(observer or Observer(), "calibrate"))
    found = read_results(Path(results), listed, KitTarget.of(profile), KitTarget.all_of(profile))
    models = {model.name: model for model in listed.models}
    names, measured = [model for model, _ in found.pairs], [ms for _, ms in found.pairs]
    files = {name: folder / models[name].file for name in names}
    before = [profile.predict(files[name], inputs=models[name].shapes).ms for name in names]
    pairs = [
        MeasuredNetwork(name, profile.graphs(files[name], inputs=models[name].shapes), ms)
        for name, ms in zip(names, measured, strict=True)
    ]
    source = f"measured with the kit {folder.name}"
    calibrated = profile.calibrated(pairs, name=name, source=source, runtime_version=found.runtime_version)
    calibrated.save(path)
    after = [each.left_out_ms for each in calibrated.references[-len(pairs) :]]
    return {
        "name": name,
        "path": str(path),
        **_stated(name),
        "pairs": len(measured),
        "error_before": _median_error(before, measured),
        "error_after": _median_error(after, measured),
        "repeat_error": found.repeat_error,
        "label": found.label,
        "kept": len(calibrated.references) - len(pairs),
        "rules": _rules(profile, calibrated),
        "networks": [
            {"model": model, "measured_ms": ms, "before_ms": first, "left_out_ms": last}
            for (model, ms), first, last in zip(found.pairs, before, after, strict=True)
        ],
    }


def train_hardware(
    hw: str = "local",
    *,
    budget: str | float,
    space: str = "tiny_cnn",
    name: str | None = None,
    task: str = "digits",
    input_shape: tuple[int, ...] | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Train a predictor of this machine on the networks of a space, and keep it among the user's own profiles.

    Networks are chosen to be informative, timed and kept one by one, so that the same command goes on after any end.

    Args:
        hw: A profile that is measured on this machine.
        budget: Time in all; it ends earlier where the error stops falling.
        space: Where the networks come from.
        name: Of the new profile, by default ``<hw>-<space>``. One of an earlier training is replaced.
        task: Gives what the networks take and answer.
        input_shape: Instead of the task's: sizes of one input, (C, H, W) of an image.
        observer: Told how far it is.

    Returns:
        ``name``, ``path``, ``key``, ``latency_error``, ``measured``, ``reused`` (of an earlier run), ``ended``
        (``budget``, ``flat`` or ``exhausted``), ``error`` (median on whole networks left out) and ``steps``
        (``measured``, ``error``, ``seconds``).

    Raises:
        UserError: If the profile is not of this machine, the name is taken by something else, the budget is too short
            or the machine too busy.
        Interrupted: By Ctrl-C; what was measured is kept.
    """
    observer = observer or Observer()
    began, seconds = time.monotonic(), parse_duration(budget)
    known_space = load_space(space)
    source = f"{_TRAINED} {Path(space).stem}"
    name = name or f"{Path(hw).stem}-{Path(space).stem}"
    path = _free(name, replace=source)

    def progress(step: TrainingStep | None, measured: int, what: str) -> None:
        spent = time.monotonic() - began
        doing = what if step is None else f"{what}; error {100 * step.error:.1f} % on networks left out"
        observer.update(Snapshot("train", doing, spent, seconds, counts={"networks measured": measured}))

    profile = load_profile(hw, progress=sharing(observer, "calibrate"))
    networks = _candidates(known_space, _signature(task, input_shape))
    try:
        left = seconds - (time.monotonic() - began)
        trained = train_profile(profile, networks, left, name, source, progress)
    except KeyboardInterrupt:
        raise Interrupted("stopped; what was measured is kept, and the same command goes on from it") from None
    trained.profile.save(path)
    steps = [{"measured": s.measured, "error": s.error, "seconds": round(s.seconds, 1)} for s in trained.steps]
    return {
        "name": name,
        "path": str(path),
        **_stated(name),
        "measured": trained.measured,
        "reused": trained.reused,
        "ended": trained.ended,
        "error": trained.steps[-1].error,
        "steps": steps,
    }


def new_hardware(name: str, *, like: str) -> dict[str, Any]:
    """Begin a profile of a device as a copy of another's facts, to be edited; fits are left out.

    Args:
        name: Of the new profile.
        like: The profile to copy, by name or path.

    Returns:
        ``name`` and ``path``.

    Raises:
        UserError: If the name is taken or ``like`` is unknown.
    """
    path = _free(name)
    load_profile(like)  # one line for what is wrong with it
    source = find_yaml("hardware_profiles", "device", like)
    yaml = YAML()
    yaml.width = 120
    document = yaml.load(source.read_text(encoding="utf-8"))
    for target in document["targets"].values():
        target.pop("fit", None)
    document["device"] = name
    text = io.StringIO()
    yaml.dump(document, text)
    head = [
        f"# {name}, begun as a copy of {source.stem}: replace the facts by this device's and say where they are from.",
        "# Without measurements it ranks networks and is good to a factor of two. To measure:",
        f"#   automl-kd hw kit --hw {name} --out kit    (then python3 kit/measure.py on the device)",
        f"#   automl-kd hw calibrate --from kit/results.jsonl --name {name}-measured",
    ]
    body = [line for line in text.getvalue().splitlines() if "written by benchmarks/fit_profiles.py" not in line]
    write_text(path, "\n".join([*head, *body]) + "\n")
    return {"name": name, "path": str(path)}


def plot_hardware(hw: str, out: str | Path) -> dict[str, Any]:
    """Write a page that shows a profile's predictions against the measurements they were left out of.

    Args:
        hw: A profile with measured networks, by name or path.
        out: File to write, ``.html``.

    Returns:
        ``path``.

    Raises:
        UserError: If the profile has no measured networks or the file would be no HTML.
    """
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{out}: the plot is an HTML page; name a file that ends in .html")
    write_text(path, hardware_report(load_profile(hw)))
    return {"path": str(out)}


def kit_document(folder: str | Path, kit: Kit, profile: Profile) -> dict[str, Any]:
    """A kit, made with a profile, as ``hw kit --json`` prints it."""
    listed = kit.model_dump(mode="json", include={"hw", "key", "space", "study", "models"})
    written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"path": str(folder), **listed, "bytes": written, "notes": list(profile.notes)}


def kit_of(results: str | Path, folder: str | Path | None) -> tuple[Path, Kit]:
    """The kit that results belong to: the one of that folder, None for the folder that they are in.

    Raises:
        UserError: If there are no results, or the folder is no kit as it was made.
    """
    if not Path(results).is_file():
        raise UserError(f"{results}: no such file; measure.py of a kit writes it on the device")
    found = Path(results).parent if folder is None else Path(folder)
    return found, read_kit(found)


def _candidates(space: Space, signature: Signature) -> list[Candidate]:
    """Different students of a space, the same ones at every call."""
    rng = random.Random(_SEED)
    found: dict[Any, Candidate] = {}
    for _ in range(_SAMPLES_PER_CANDIDATE * _POOL):
        recipe = space.sample(rng)
        plan = students.plan(recipe.student, signature)
        if plan.blocks not in found:
            origin = recipe.document()["student"]
            found[plan.blocks] = Candidate(f"net-{len(found):03}", plan, origin)
        if len(found) == _POOL:
            break
    return list(found.values())


def _signature(task: str, input_shape: tuple[int, ...] | None) -> Signature:
    """That of a task's networks, for inputs of another shape where one is asked for."""
    signature = open_task(task).signature
    if input_shape is None:
        return signature
    if len(input_shape) != len(signature.input.axes):
        given, axes = ",".join(map(str, input_shape)), ", ".join(signature.input.axes)
        raise UserError(f"input shape {given}: give a size each of {axes}, as the inputs of task {task} have them")
    return signature.with_shape(input_shape)


def _free(name: str, replace: str | None = None) -> Path:
    """Where a profile of the user's own goes; the name must not be taken, but by a fit from the source to replace."""
    if not _NAME.fullmatch(name) or name.endswith((".yaml", ".yml")):
        raise UserError(f"name {name!r}: write letters, digits, '.', '_' and '-', beginning with a letter or digit")
    if (shipped_dir("hardware_profiles") / f"{name}.yaml").exists():
        raise UserError(f"a profile {name} comes with the project; choose another name")
    path = config_dir() / "hardware_profiles" / f"{name}.yaml"
    if path.exists() and not (replace and _fitted_from(path, replace)):
        raise UserError(f"{path} exists; choose another name, or delete it first")
    return path


def _fitted_from(path: Path, source: str) -> bool:
    fit = load_profile(str(path)).target.fit
    return fit is not None and bool(fit.references) and all(each.source == source for each in fit.references)


def _rules(before: Profile, after: Profile) -> dict[str, Any]:
    given, chosen, execution = before.target.rules, after.target.rules, after.target.execution
    assert execution is not None  # of every calibrated target
    found: dict[str, Any] = {
        name: {"chosen": chosen[name], "given": given[name], "sure": execution.sure.get(name)} for name in chosen
    }
    return found | {"error": execution.error, "given_error": execution.given_error}


def _stated(name: str) -> dict[str, Any]:
    """What a profile of the user's own is for, and how far off it is."""
    profile = load_profile(name)
    return {"key": profile.key, **profile.latency_error().document()}


def _median_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    return float(np.median(np.abs(np.array(predicted) / np.array(measured) - 1)))
