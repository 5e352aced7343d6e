"""Parcels as letters of plain data: what a database keeps names no class of this program and runs nothing when read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from automl_kd.core import UserError, __version__
from automl_kd.execution.archive import Archive
from automl_kd.execution.jobs import Answer, Evaluated, EvaluateJob, Failed, Setup, Stopped, Trained, TrainJob
from automl_kd.execution.parcel import PackedSetup, Parcel, Returned
from automl_kd.storage import Letter

_SHA256 = re.compile(r"[0-9a-f]{64}")


def letter_of_parcel(parcel: Parcel) -> Letter:
    """A job on its way, without the paths of the machine that sends it."""
    job = parcel.job
    if isinstance(job, TrainJob):
        about = {
            "recipe": job.recipe,
            "total_epochs": job.total_epochs,
            "until": job.until,
            "trained": job.trained,
        }
    else:
        about = {"recipe": job.recipe, "student": job.weights is not None}
    kind = "train" if isinstance(job, TrainJob) else "evaluate"
    files = {} if parcel.content is None else {"content": parcel.content}
    return Letter({"kind": kind, "seconds": parcel.seconds} | about, files)


def parcel_of(letter: Letter) -> Parcel:
    """The job of a letter."""
    data = letter.document
    content = letter.files.get("content")
    if data["kind"] == "evaluate":
        weights = Path("student") if data["student"] else None
        return Parcel(EvaluateJob(data["recipe"], weights), None, content)
    job = TrainJob(
        data["recipe"], data["total_epochs"], data["until"], Path("checkpoint"), Path("student"), 0.0, data["trained"]
    )
    return Parcel(job, data["seconds"], content)


def letter_of_answer(returned: Returned) -> Letter:
    """An answer on its way back."""
    answer = returned.answer
    if isinstance(answer, Evaluated):
        about: dict[str, Any] = {"correct": "".join("01"[int(right)] for right in answer.correct)}
    else:
        about = asdict(answer)
    files = {"checkpoint": returned.checkpoint, "weights": returned.weights}
    return Letter(
        {"kind": type(answer).__name__.lower()} | about,
        {name: content for name, content in files.items() if content is not None},
    )


def answer_of(letter: Letter) -> Returned:
    """The answer of a letter."""
    about = dict(letter.document)
    kind = about.pop("kind")
    answer: Answer
    if kind == "evaluated":
        answer = Evaluated(np.array([right == "1" for right in about["correct"]]))
    else:
        answer = {"trained": Trained, "stopped": Stopped, "failed": Failed}[kind](**about)
    return Returned(answer, letter.files.get("checkpoint"), letter.files.get("weights"))


def offer_of(setup: Setup) -> tuple[dict[str, Any], dict[str, Archive]]:
    """What all jobs share, and the data and the teacher that it names by their hashes.

    Raises:
        UserError: If a file is missing, or the teacher is gone from the cache.
    """
    packed, archives = PackedSetup.pack(setup)
    teachers = packed.setup.teacher if isinstance(packed.setup.teacher, tuple) else (packed.setup.teacher,)
    words = [json.dumps(each.model_dump(mode="json", exclude_unset=True)) for each in teachers]  # type: ignore[union-attr]
    about = {"teacher": " + ".join(words), "hashes": list(packed.hashes), "version": __version__}
    return vars(packed.setup) | about, archives


def setup_of(document: Mapping[str, Any]) -> PackedSetup:
    """The setup of an offer, whose files are fetched where they are needed.

    Raises:
        UserError: If its driver could not make one, runs another version of this program, or names files as no driver
            does.
    """
    from automl_kd.tasks import parse_teacher  # tasks bring torch, which takes seconds

    about = dict(document)
    if "refused" in about:
        raise UserError(f"the study's driver cannot send what its jobs share: {about['refused']}")
    version = about.pop("version", "another")
    if version != __version__:
        raise UserError(f"the study's driver runs automl-kd {version}, this machine {__version__}: install the same")
    hashes = tuple(about.pop("hashes"))
    code = tuple(about.pop("code", ()))
    packed = PackedSetup(Setup(**about | {"teacher": parse_teacher(about["teacher"]), "code": code}), hashes)
    known = all(_SHA256.fullmatch(sha256) for sha256 in hashes)
    if not known or any(path.parts[0] not in hashes or ".." in path.parts for path in packed.paths):
        raise UserError("the study's offer names files as no driver does")
    return packed
