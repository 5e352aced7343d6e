"""Delivered picks on the device that they were searched for: a kit of them, and its results beside predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.core import DEFAULT_STORAGE, UserError, sha256_of
from automl_kd.hardware import Kit, Profile, load_profile, read_results, write_picks_kit
from automl_kd.results import Observer, sharing
from automl_kd.storage import Database
from automl_kd.studies.report import publish_report
from automl_kd.studies.state import StudyProgress, settings_of, with_state
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.summary import summarize
from automl_kd.workflows.hardware import kit_document, kit_of

_SHOWN = {"trial", "role", "latency_ms", "latency_low", "latency_high", "measured_ms", "measured_inside"}


def picks_kit(
    study: str, *, out: str | Path = "kit", storage: str = DEFAULT_STORAGE, observer: Observer | None = None
) -> dict[str, Any]:
    """Write a folder to carry to the device of a study: its delivered picks, and a script that times them.

    Args:
        study: The study's name.
        out: Folder to write; new or empty.
        storage: Database URL or path of an SQLite file.
        observer: Told where this machine has to be calibrated first.

    Returns:
        As ``hardware_kit``, ``study`` being the study's name; a model's ``origin`` holds its ``trial``.

    Raises:
        UserError: If there is no such study, it has no picks yet or a pick's file is gone, the folder is not empty, or
            ONNX files do not stand for what runs on the device.
    """
    database = Database(storage, create=False)
    settings = settings_of(database.study(study))
    hw, space = settings.hw, settings.space
    profile = load_profile(hw, progress=sharing(observer or Observer(), "calibrate"))
    picks = _files_of_picks(database, study, profile)
    return kit_document(out, write_picks_kit(Path(out), profile, hw, space, study, picks), profile)


def verify_picks(
    results: str | Path, *, kit: str | Path | None = None, storage: str = DEFAULT_STORAGE
) -> dict[str, Any]:
    """Put what ``measure.py`` measured beside the predictions of a study's picks, there and in the study's report.

    Args:
        results: The JSON lines that came back from the device.
        kit: The kit they belong to, by default the folder that the results are in.
        storage: Database URL or path of an SQLite file.

    Returns:
        ``study``, ``hw``, ``report`` (the file that was written anew), ``label``, ``repeat_error`` and ``picks``
        (``trial``, ``role``, ``latency_ms`` as predicted, its 90 % interval ``latency_low`` to ``latency_high``,
        ``measured_ms``, and ``measured_inside``: whether that lies in the interval).

    Raises:
        UserError: If the results are damaged, noisy or of another kit, the kit holds other networks than the study's
            picks, or the study is being searched.
    """
    folder, listed = kit_of(results, kit)
    if listed.study is None:
        raise UserError(
            f"{folder} is a kit of space {listed.space}, not of a study's picks; automl-kd hw calibrate --from"
            f" {results} takes its results"
        )
    found = read_results(Path(results), listed, listed.target)
    name, database = listed.study, Database(storage, create=False)
    profile = load_profile(settings_of(database.study(name)).hw)
    trials = _trials(folder, listed, _files_of_picks(database, name, profile))
    measured = {trials[model]: ms for model, ms in found.pairs}
    with database.lease(name), database.user_errors():
        record = database.study(name)
        progress = StudyProgress.of(record)
        known = progress.model_copy(update={"measured": {**progress.measured, **measured}})
        database.save_study(with_state(record, settings_of(record), known))
        report = publish_report(database, database.optuna(), name)
        picks = summarize(database, name).picks
    return {
        "study": name,
        "hw": listed.hw,
        "report": str(report),
        "label": found.label,
        "repeat_error": found.repeat_error,
        "picks": [pick.model_dump(include=_SHOWN) for pick in picks if pick.trial in measured],
    }


def _files_of_picks(database: Database, study: str, profile: Profile) -> dict[int, Path]:
    """The delivered network of every pick by its trial: in floats where the device finds integers of its own in it."""
    files, loads = StudyFiles(database.files / study), profile.target.loads
    found = {pick.trial: files.pick(pick.trial) / "student.onnx" for pick in summarize(database, study).picks}
    if loads is not None and loads.quantised == "own":
        in_floats = {trial: path.with_name("student.float.onnx") for trial, path in found.items()}
        found = {trial: path if path.is_file() else found[trial] for trial, path in in_floats.items()}
    if not found:
        raise UserError(f"study {study} has no picks yet; automl-kd status --study {study} tells how far it is")
    for trial, path in found.items():
        if not path.is_file():
            raise UserError(
                f"{path} is gone; automl-kd export --study {study} --pick {trial} --out {path.parent} delivers it again"
            )
    return found


def _trials(folder: Path, kit: Kit, picks: dict[int, Path]) -> dict[str, int]:
    """The trial that each model of a kit is the pick of.

    A study may have gone on since, or another database hold one of that name: the bytes tell.
    """
    trials: dict[str, int] = {}
    for model in kit.models:
        if model.sentinel:
            continue
        trial = model.origin.get("trial")
        if trial not in picks or sha256_of(picks[trial]) != model.sha256:
            raise UserError(
                f"{folder / model.file} is no pick of study {kit.study} as it stands; make a kit of its picks with"
                f" automl-kd hw kit --study {kit.study}"
            )
        trials[model.name] = trial
    return trials
