"""Teachers that were trained here, kept by content: what is read back is what was written, or it is absent."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from automl_kd.core import UserError, cache_dir, locked, replacing, write_text
from automl_kd.recipes import Part, Student, digest
from automl_kd.students import Shape, StudentModule, build
from automl_kd.tasks import CheckpointTeacher
from automl_kd.teachers.checkpoint import fill, read_checkpoint
from automl_kd.teachers.module import module_teacher, weights_sha256
from automl_kd.teachers.teacher import Teacher, Understood

_SHA256 = re.compile("[0-9a-f]{64}")


class _Record(Part):
    """What is kept beside the weights."""

    sha256: str
    student: Student
    input_shape: Shape
    classes: int
    facts: dict[str, Any]


class TeacherStore:
    """A folder of teachers.

    ``<sha256>.safetensors`` holds the weights, ``<sha256>.json`` what they belong to, and ``keys/<key>`` the hash of
    the teacher that a recipe led to.

    Args:
        folder: By default ``teachers`` in the cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_dir() / "teachers"

    def find(self, key: str) -> Teacher | None:
        """The teacher kept under a key, or None where there is none or its files are damaged.

        Args:
            key: Digest of the teacher's recipe and the hash of the task.
        """
        try:
            sha256 = self._key(key).read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return self.by_hash(sha256)

    def by_hash(self, sha256: str) -> Teacher | None:
        """The teacher with these weights, or None. Damaged files are moved aside, to be looked at, never used."""
        if not _SHA256.fullmatch(sha256):
            return None
        weights, description = self._paths(sha256)
        with self._locked():
            if not weights.is_file() or not description.is_file():
                return None
            try:
                return _read(weights, description, sha256)
            except (UserError, ValueError, KeyError, TypeError):
                for path in (weights, description):
                    os.replace(path, path.with_name(f"{path.name}.damaged"))
                return None

    def place(self, sha256: str) -> CheckpointTeacher:
        """The teacher with these weights as one that is brought, for machines that do not share this folder.

        Raises:
            UserError: If it is gone or damaged.
        """
        if self.by_hash(sha256) is None:
            raise gone(sha256)
        weights, description = self._paths(sha256)
        record = _Record.model_validate(json.loads(description.read_text(encoding="utf-8"))["record"])
        return CheckpointTeacher(checkpoint=str(weights), student=record.student)

    def keep(self, key: str, student: Student, module: StudentModule, facts: Mapping[str, Any]) -> Teacher:
        """Keep a trained teacher; every file appears whole or not at all.

        Args:
            key: As for :meth:`find`.
            student: What the module was built from.
            module: The trained network.
            facts: Plain data worth knowing later, for example its accuracy.

        Returns:
            The teacher as it was read back.
        """
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
        sha256 = weights_sha256(state)
        record = _Record(
            sha256=sha256,
            student=student,
            input_shape=module.plan.input_shape,
            classes=module.plan.blocks[-1].output_shape[0],
            facts=dict(facts),
        ).model_dump(mode="json")
        weights, description = self._paths(sha256)
        with self._locked():
            with replacing(weights) as draft:
                draft.write_bytes(safetensors.torch.save(state))
            write_text(description, json.dumps({"record": record, "digest": digest(record)}, indent=1))
            write_text(self._key(key), sha256)
            return _read(weights, description, sha256)

    def _locked(self) -> AbstractContextManager[None]:
        # Without it a reader could move aside what another process has just written anew.
        return locked(self._folder / "lock")

    def _paths(self, sha256: str) -> tuple[Path, Path]:
        return self._folder / f"{sha256}.safetensors", self._folder / f"{sha256}.json"

    def _key(self, key: str) -> Path:
        return self._folder / "keys" / key


def gone(sha256: str) -> UserError:
    """An error for a teacher that should be in the store."""
    return UserError(f"teacher {sha256[:12]} is gone from the cache or damaged; the same command makes it again")


def _read(weights: Path, description: Path, sha256: str) -> Teacher:
    content = json.loads(description.read_text(encoding="utf-8"))
    record = _Record.model_validate(content["record"])
    state = read_checkpoint(weights)
    if content["digest"] != digest(content["record"]) or {record.sha256, weights_sha256(state)} != {sha256}:
        raise ValueError("the bytes are not those written")
    with torch.random.fork_rng(devices=[]):  # building draws initial weights; a look-up must not move the caller's seed
        module = build(record.student, input_shape=record.input_shape, classes=record.classes)
    fill(module, state, str(weights), "the teacher kept there")
    teacher = module_teacher(module, record.input_shape, record.classes)
    form = f"trained here: {_spelled(record.student)}"
    teacher.understood = Understood(form, classes="the task's own", brought=False)
    return teacher


def _spelled(student: Student) -> str:
    """The architecture in the words of a recipe, without what is left to its defaults."""
    parts = student.model_dump(mode="json", exclude_unset=True)
    return ", ".join([parts.pop("family"), *(f"{name} {value}" for name, value in parts.items())])
