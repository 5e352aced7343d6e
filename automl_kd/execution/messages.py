"""Bundles as messages of JSON and bytes, which the database keeps.

A message names no class of this program, and to read it runs nothing.

Driver and worker must be of one version of this program, which the offer names: a worker of another refuses.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError, __version__
from automl_kd.execution.archive import Archive
from automl_kd.execution.file_bundles import AnswerBundle, JobBundle, SetupBundle
from automl_kd.execution.jobs import Answer, Evaluated, EvaluateJob, Failed, Setup, Stopped, Trained, TrainJob
from automl_kd.recipes import Recipe
from automl_kd.storage import Message

_SHA256 = re.compile(r"[0-9a-f]{64}")


def encode_job(bundle: JobBundle) -> Message:
    """A job as a message, without the paths of the machine that sends it."""
    job = bundle.job
    recipe = None if job.recipe is None else job.recipe.document()
    files = {} if bundle.content is None else {"content": bundle.content}
    if isinstance(job, EvaluateJob):
        return Message({"kind": "evaluate", "recipe": recipe, "student": job.weights is not None}, files)
    schedule = {"total_epochs": job.total_epochs, "until": job.until, "trained": job.trained}
    return Message({"kind": "train", "recipe": recipe, "seconds": bundle.seconds} | schedule, files)


def decode_job(message: Message) -> JobBundle:
    """The job of a message."""
    data, content = message.document, message.files.get("content")
    recipe = None if data["recipe"] is None else Recipe.model_validate(data["recipe"])
    if data["kind"] == "evaluate" or recipe is None:
        return JobBundle(EvaluateJob(recipe, Path("student") if data["student"] else None), None, content)
    job = TrainJob(
        recipe=recipe,
        total_epochs=data["total_epochs"],
        until=data["until"],
        checkpoint=Path("checkpoint"),
        weights=Path("student"),
        deadline=0.0,
        trained=data["trained"],
    )
    return JobBundle(job, data["seconds"], content)


def encode_answer(bundle: AnswerBundle) -> Message:
    """An answer as a message."""
    answer = bundle.answer
    files = {"checkpoint": bundle.checkpoint, "weights": bundle.weights, "log": bundle.log}
    match answer:
        case Trained():
            about: dict[str, Any] = {
                "score": _to_json(answer.score),
                "error": _to_json(answer.error),
                "values": _values_to_json(answer.values),
            }
            about |= {"epoch": answer.epoch, "seconds": answer.seconds, "between": answer.between}
        case Evaluated():
            about = {"values": _values_to_json(answer.values)}
            files["statistics"] = _to_bytes(answer.statistics)
            if answer.uncompressed is not None:
                about["uncompressed"] = _values_to_json(answer.uncompressed.values)
                files["uncompressed"] = _to_bytes(answer.uncompressed.statistics)
        case Stopped() | Failed():
            about = asdict(answer)
    return Message(
        {"kind": type(answer).__name__.lower()} | about,
        {name: content for name, content in files.items() if content is not None},
    )


def decode_answer(message: Message) -> AnswerBundle:
    """The answer of a message."""
    about, files = dict(message.document), message.files
    answer: Answer
    match about.pop("kind"):
        case "trained":
            score, error = float(about.pop("score")), float(about.pop("error"))
            answer = Trained(score, error, _values_from_json(about.pop("values")), **about)
        case "evaluated":
            answer = _evaluated(about["values"], files["statistics"])
            if "uncompressed" in about:
                uncompressed = _evaluated(about["uncompressed"], files["uncompressed"])
                answer = replace(answer, uncompressed=uncompressed)
        case "failed":
            answer = Failed(**about)
        case _:
            answer = Stopped()
    return AnswerBundle(answer, files.get("checkpoint"), files.get("weights"), files.get("log"))


def _evaluated(values: Mapping[str, float | str], statistics: bytes) -> Evaluated:
    return Evaluated(_values_from_json(values), _from_bytes(statistics))


def encode_setup(setup: Setup) -> tuple[dict[str, Any], dict[str, Archive]]:
    """What all jobs share as a JSON object, and the archives that it names by their hashes.

    Raises:
        UserError: If a file is missing, or the teacher is gone from the cache.
    """
    packed, archives = SetupBundle.pack(setup)
    teachers = [json.dumps(each.model_dump(mode="json", exclude_unset=True)) for each in packed.teachers]
    shared = {field.name: getattr(packed.setup, field.name) for field in fields(Setup)}
    about = {"teacher": " + ".join(teachers), "hashes": list(packed.hashes), "version": __version__}
    return shared | about, archives


def decode_setup(document: Mapping[str, Any]) -> SetupBundle:
    """The setup of an offer; its files are still to be fetched.

    Raises:
        UserError: If its driver could not make one, runs another version of this program, or names files as no driver
            does.
    """
    from automl_kd.tasks import parse_teacher  # tasks import torch, which takes seconds

    about = dict(document)
    if "refused" in about:
        raise UserError(f"the study's driver cannot send what its jobs share: {about['refused']}")
    version = about.pop("version", "another")
    if version != __version__:
        raise UserError(f"the study's driver runs automl-kd {version}, this machine {__version__}: install the same")
    hashes = tuple(about.pop("hashes"))
    named = {files: tuple(about.pop(files, ())) for files in ("code", "weights")}
    packed = SetupBundle(Setup(**about | named | {"teacher": parse_teacher(about["teacher"])}), hashes)
    known = all(_SHA256.fullmatch(sha256) for sha256 in hashes)
    if not known or any(path.parts[0] not in hashes or ".." in path.parts for path in packed.paths):
        raise UserError("the study's offer names files as no driver does")
    return packed


def _to_json(value: float) -> float | str:
    """A number as JSON; infinite ones and not-a-number become text, because databases refuse them as numbers."""
    return value if math.isfinite(value) else str(value)


def _values_to_json(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: _to_json(value) for name, value in values.items()}


def _values_from_json(values: Mapping[str, float | str]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _to_bytes(array: NDArray[np.float64]) -> bytes:
    """An array as a compressed file of NumPy's; small whole numbers, as counts are, take a byte each before that."""
    small = array.astype(np.uint8) if _holds_bytes(array) else array
    file = io.BytesIO()
    np.savez_compressed(file, array=small)
    return file.getvalue()


def _holds_bytes(array: NDArray[np.float64]) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.array_equal(array, array.astype(np.uint8)))


def _from_bytes(content: bytes) -> NDArray[np.float64]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return np.asarray(file["array"], np.float64)
