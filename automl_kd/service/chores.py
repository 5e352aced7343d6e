"""What helper processes do for the API: the verbs, with the documents that they print.

The service imports this file, too, to name what it wants done: what loads torch is imported where it is used. What
pages say of the same is the matter of :mod:`automl_kd.service.pages.wording`.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, finite, replacing
from automl_kd.results import Observer, Rule
from automl_kd.service.places import Places
from automl_kd.storage import Database

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive, so that equal files make equal archives."""


def admitted(document: dict[str, Any], places: Places) -> dict[str, Any]:
    """The parts of :class:`automl_kd.service.admission.Admitted` of a search, as plain data."""
    from automl_kd.service.admission import admit

    return asdict(admit(document, places))


def planned(document: dict[str, Any], storage: str) -> dict[str, Any]:
    """What a search would do, without doing it."""
    from automl_kd.studies.request import SearchRequest
    from automl_kd.workflows.plan import plan_search

    plan = plan_search(SearchRequest(**document, storage=storage), Observer())
    found: dict[str, Any] = finite(plan.document())
    return found


def summarized(storage: str, study: str) -> dict[str, Any] | None:
    """All that storage says of a study; None as long as it is not begun."""
    from automl_kd.studies.summary import summarize

    database = Database(storage, create=False)
    if database.find_study(study) is None:
        return None
    found: dict[str, Any] = finite(summarize(database, study).model_dump(mode="json"))
    return found


def standing_of(storage: str, study: str) -> dict[str, dict[str, Any]]:
    """Where a study stands that nobody searches now, as documents of events by kind."""
    from automl_kd.workflows.follow import standing

    found: dict[str, dict[str, Any]] = finite(standing(study, storage=storage))
    return found


def exported(storage: str, study: str, pick: str, folder: Path) -> dict[str, Any]:
    """Deliver a student of a study as an archive in a folder; its name is ``archive`` of the document."""
    from automl_kd.workflows.export import export

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        out = Path(place, "winner")
        document = export(study, pick=pick, out=out, storage=storage)
        name = f"winner-{document['trial']}.zip"
        zip_folder(out, folder / name)
    kept: dict[str, Any] = finite({key: value for key, value in document.items() if key != "path"})
    return {**kept, "archive": name}


def trial_found(storage: str, study: str, number: int) -> dict[str, Any]:
    """All that is known of one trial."""
    from automl_kd.workflows.trial import trial_detail

    found: dict[str, Any] = finite(trial_detail(study, number, storage=storage).model_dump(mode="json"))
    return found


def compared(storage: str, study: str, trials: Sequence[str]) -> dict[str, Any]:
    """Two or three trials side by side, and in words."""
    from automl_kd.workflows.compare import compare

    found: dict[str, Any] = finite(compare(*trials, study=study, storage=storage).model_dump(mode="json"))
    return found


def repriced(storage: str, study: str, hw: str, max_latency: str | float | None) -> dict[str, Any]:
    """The finished trials of a study at another device's prices."""
    from automl_kd.workflows.reprice import reprice

    priced = reprice(study, hw=hw, max_latency=max_latency, storage=storage)
    found: dict[str, Any] = finite(priced.model_dump(mode="json"))
    return found


def front_where(storage: str, study: str, rule: str | None) -> dict[str, Any]:
    """The front of a study, or those of its points of which a rule holds."""
    from automl_kd.studies.summary import summarize

    summary = summarize(Database(storage, create=False), study)
    asked = None if rule is None else Rule.parse(rule, summary.objectives, summary.metrics)
    front = [each for each in summary.front if asked is None or asked.holds(each)]
    return {
        "where": None if asked is None else str(asked),
        "objectives": [asdict(each) for each in summary.objectives],
        "front": finite([each.model_dump(mode="json") for each in front]),
    }


def reported(storage: str, study: str, folder: Path) -> str:
    """Write a study's report into a folder; returns the file's name."""
    from automl_kd.workflows.report import report

    folder.mkdir(parents=True, exist_ok=True)
    return report(study, out=folder / "report.html", storage=storage).name


def kit_made(storage: str, study: str, folder: Path) -> str:
    """Write a kit of a study's picks as an archive into a folder, and keep it for what comes back from the device."""
    from automl_kd.workflows.verification import picks_kit

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        draft = Path(place, "kit")
        picks_kit(study, out=draft, storage=storage)
        zip_folder(draft, folder / "kit.zip")
        kept = folder / "kit"
        shutil.rmtree(kept, ignore_errors=True)
        draft.replace(kept)
    return "kit.zip"


def verified(storage: str, study: str, folder: Path, results: Path) -> dict[str, Any]:
    """Put what a device measured beside the predictions of a study's picks."""
    from automl_kd.workflows.verification import verify_picks

    kit = folder / "kit"
    if not kit.is_dir():
        raise UserError(f"search {study}: no kit was fetched yet; GET /searches/{study}/kit makes one")
    try:
        found: dict[str, Any] = finite(verify_picks(results, kit=kit, storage=storage))
    except UserError as error:  # without paths, which are of this machine
        raise UserError(str(error).replace(str(results), results.name).replace(f"{folder}/", "")) from None
    return {key: value for key, value in found.items() if key != "report"}


def devices() -> dict[str, Any]:
    """The devices with a profile."""
    from automl_kd.workflows.devices import list_devices

    found: dict[str, Any] = finite(list_devices())
    return found


def predicted(model: Path, hw: str) -> dict[str, Any]:
    """What an ONNX file costs on a device."""
    from automl_kd.workflows.devices import predict_latency

    try:
        found: dict[str, Any] = finite(predict_latency(model, hw))
    except UserError as error:
        raise UserError(str(error).replace(str(model), "the model").replace(f"{model.parent}/", "")) from None
    return found


def zip_folder(folder: Path, place: Path) -> None:
    """Write an archive of a folder, whole or not at all; equal folders give equal archives."""
    with replacing(place) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(str(Path(folder.name, file.relative_to(folder))), _ZIP_TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with archive.open(entry, "w") as target, file.open("rb") as content:
                shutil.copyfileobj(content, target)
