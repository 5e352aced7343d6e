"""Teachers that were trained here, kept by content: what is read back is what was written, or it is absent."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from automl_kd.core import Input, Output, Signature, UserError, cache_dir, locked, replacing, write_text
from automl_kd.recipes import Part, Student, digest
from automl_kd.students import Brought, StudentModule, build, checkpoint
from automl_kd.teachers.forms.checkpoint import CheckpointTeacher
from automl_kd.teachers.module import module_teacher, weights_sha256
from automl_kd.teachers.teacher import Teacher, Understood

_SHA256 = re.compile("[0-9a-f]{64}")


class _Record(Part):
    """What is kept beside the weights."""

    sha256: str
    student: Student
    input_shape: tuple[int, ...]
    classes: int
    facts: dict[str, Any]
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None

    @property
    def signature(self) -> Signature:
        """What the teacher takes and answers: images to logits of classes where the record does not say more."""
        plain = Signature.of_images(self.input_shape, self.classes)
        if self.input is None or self.output is None:
            return plain
        return Signature(Input(**_as_tuples(self.input)), Output(**_as_tuples(self.output)))

    @classmethod
    def of(cls, sha256: str, student: Student, signature: Signature, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The record as plain data; that of a classifier of images is as it was in version 0.1."""
        shape, width = signature.input.shape, signature.output.width
        record = cls(sha256=sha256, student=student, input_shape=shape, classes=width, facts=dict(facts))
        more = {"input": asdict(signature.input), "output": asdict(signature.output)}
        told = record.model_dump(mode="json", exclude={"input", "output"})
        return told if record.signature == signature else json.loads(json.dumps(told | more))


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
        sha256 = self.hash_of(key)
        return None if sha256 is None else self.by_hash(sha256)

    def hash_of(self, key: str) -> str | None:
        """The hash of the weights of the teacher kept under a key, or None; the weights may be damaged."""
        try:
            return self._key(key).read_text(encoding="ascii")
        except (OSError, ValueError):
            return None

    def by_hash(self, sha256: str) -> Teacher | None:
        """The teacher with these weights, or None. Damaged files are moved aside, to be looked at, never used.

        Raises:
            UserError: If its network is one of a library that is not installed here.
        """
        if not _SHA256.fullmatch(sha256):
            return None
        weights, description = self._paths(sha256)
        with self._locked():
            if not weights.is_file() or not description.is_file():
                return None
            try:
                record, state = _verified(weights, description, sha256)
            except (UserError, ValueError, KeyError, TypeError):
                for path in (weights, description):
                    os.replace(path, path.with_name(f"{path.name}.damaged"))
                return None
        return _teacher(record, state)

    def student(self, sha256: str) -> Student:
        """What a teacher that is there, as :meth:`by_hash` tells, was built from."""
        description = self._paths(sha256)[1]
        return _Record.model_validate(json.loads(description.read_text(encoding="utf-8"))["record"]).student

    def place(self, sha256: str) -> CheckpointTeacher:
        """The teacher with these weights as one that is brought, for machines that do not share this folder.

        Raises:
            UserError: If it is gone or damaged.
        """
        if self.by_hash(sha256) is None:
            raise gone(sha256)
        return CheckpointTeacher(checkpoint=str(self._paths(sha256)[0]), student=self.student(sha256))

    def keep(
        self, key: str, student: Student, signature: Signature, module: StudentModule, facts: Mapping[str, Any]
    ) -> Teacher:
        """Keep a trained teacher; every file appears whole or not at all.

        Args:
            key: As for :meth:`find`.
            student: What the module was built from.
            signature: What it takes and answers.
            module: The trained network.
            facts: Plain data worth knowing later, for example its score.

        Returns:
            The teacher as it was read back.
        """
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
        sha256 = weights_sha256(state)
        record = _Record.of(sha256, student, signature, facts)
        weights, description = self._paths(sha256)
        with self._locked():
            with replacing(weights) as draft:
                draft.write_bytes(safetensors.torch.save(state))
            write_text(description, json.dumps({"record": record, "digest": digest(record)}, indent=1))
            write_text(self._key(key), sha256)
            return _teacher(*_verified(weights, description, sha256))

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


def _verified(weights: Path, description: Path, sha256: str) -> tuple[_Record, dict[str, Tensor]]:
    """What is kept beside a teacher, and its weights, as they were written."""
    content = json.loads(description.read_text(encoding="utf-8"))
    record = _Record.model_validate(content["record"])
    state = checkpoint.read_checkpoint(weights)
    if content["digest"] != digest(content["record"]) or {record.sha256, weights_sha256(state)} != {sha256}:
        raise ValueError("the bytes are not those written")
    return record, state


def _teacher(record: _Record, state: Mapping[str, Tensor]) -> Teacher:
    with torch.random.fork_rng(devices=[]):  # building draws initial weights; a look-up must not move the caller's seed
        module = build(record.student, record.signature)
    checkpoint.fill(module, state, f"teacher {record.sha256[:12]} of the cache", "its recipe")
    teacher = module_teacher(module, record.signature)
    form = f"trained here: {_spelled(record.student)}"
    shown = record.student.shown if isinstance(record.student, Brought) else None
    teacher.understood = Understood(form, shown, classes="the task's own", brought=False)
    return teacher


def _as_tuples(parts: Mapping[str, Any]) -> dict[str, Any]:
    """What was a tuple before it was JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in parts.items()}


def _spelled(student: Student) -> str:
    """The architecture in the words of a recipe, without what is left to its defaults."""
    if isinstance(student, Brought):
        return f"{student.title}, fine-tuned"
    parts = student.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude={"start"})
    started = [] if student.start is None else [f"fine-tuned from {student.start.weights}"]
    return ", ".join([parts.pop("family"), *(f"{name} {value}" for name, value in parts.items()), *started])
