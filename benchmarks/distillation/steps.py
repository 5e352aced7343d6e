"""What a loss costs in a step, forward and backward to the student's features, against its published form."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from automl_kd.distillation import functional
from benchmarks.distillation import reference_forms
from benchmarks.tables import table

_BATCH = 64
_VISIT = 2e-3


@dataclass(frozen=True)
class Case:
    """One loss at one set of shapes.

    Attributes:
        name: In the project and among the reference forms.
        student: Shapes of what comes from the student and is trained.
        teacher: Shapes of what comes from the teacher.
        values: Further arguments, by name; what is a function is drawn by it.
    """

    name: str
    student: tuple[tuple[int, ...], ...]
    teacher: tuple[tuple[int, ...], ...]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """The shapes in words."""
        student, teacher = (
            " and ".join(dict.fromkeys("x".join(map(str, shape)) for shape in side))
            for side in (self.student, self.teacher)
        )
        return student if student == teacher else f"{student}, {teacher}"


def cases() -> list[Case]:
    """Every loss at the shapes of a small student's step; where a regressor stands before, channels are equal."""
    batch = _BATCH
    few, many = (batch, 32, 7, 7), (batch, 64, 7, 7)
    embedding, soft = (batch, 64), {"temperature": 4.0}
    logits = []
    for classes in (10, 100):
        pair = ((batch, classes),), ((batch, classes),)
        labels = partial(torch.randint, classes, (batch,))
        logits += [
            Case("kd", *pair, soft),
            Case("ce_soft", *pair, soft),
            Case("logit_standardization", *pair, {"temperature": 2.0}),
            Case("dkd", *pair, {"labels": labels, "alpha": 1.0, "beta": 8.0, **soft}),
            Case("dist", *pair, soft),
        ]
    unequal = ["attention_transfer", "similarity_preserving", "nst"]
    equal = ["hint", "activation_boundary", "factor_transfer", "review_hcl", "pkd", "srrl", "ickd", "gram", "mmd"]
    relations = ["rkd_distance", "rkd_angle", "pkt", "correlation_congruence", "correlation_congruence_adjacent"]
    return [
        *logits,
        *(Case(name, (few,), (many,)) for name in unequal),
        *(Case(name, (many,), (many,)) for name in equal),
        Case("channel_wise", (many,), (many,), soft),
        Case("vid", (many, (64,)), (many,)),
        Case("fsp", ((batch, 32, 14, 14), many), ((batch, 32, 14, 14), many)),
        *(Case(name, (embedding,), (embedding,)) for name in [*relations, "crd_inbatch"]),
        Case("rkd_angle", ((batch, 512),), ((batch, 512),)),
        Case("crd", (embedding,), (embedding,), {"memory": partial(_directions, 2, 10_000, 64), "columns": _columns}),
    ]


def _directions(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(shape, generator=generator), dim=-1)


def _columns(generator: torch.Generator) -> Tensor:
    return torch.randint(10_000, (_BATCH, 1 + 4096), generator=generator)


@dataclass(frozen=True)
class Timed:
    """Milliseconds of the reference and of the project, their ratio, and how far apart the values are, relatively."""

    reference: float
    ours: float
    ratio: float
    apart: float


def measure(case: Case, rounds: int) -> Timed:
    """Both forms in turns, so that they share the machine's noise; medians over the rounds."""
    source = torch.Generator().manual_seed(0)
    # Maps behind a ReLU, as networks have them.
    student, teacher = (
        [torch.randn(shape, generator=source).relu_() if len(shape) == 4 else torch.randn(shape, generator=source)
         for shape in side]
        for side in (case.student, case.teacher)
    )  # fmt: skip
    values = {name: drawn(generator=source) if callable(drawn) else drawn for name, drawn in case.values.items()}
    for tensor in student:
        tensor.requires_grad_()

    def step(loss: Callable[..., Tensor]) -> float:
        value = loss(*student, *teacher, **values)
        torch.autograd.grad(value, student)
        return value.item()

    forms = [getattr(reference_forms, case.name), getattr(functional, case.name)]
    found = [step(form) for form in forms]
    repeats = [max(1, round(_VISIT / min(_seconds(step, form, 1) for _ in range(5)))) for form in forms]
    visits = [[_seconds(step, form, count) for form, count in zip(forms, repeats, strict=True)] for _ in range(rounds)]
    reference, ours = (1000 * statistics.median(column) for column in zip(*visits, strict=True))
    ratio = statistics.median(theirs / mine for theirs, mine in visits)
    return Timed(reference, ours, ratio, abs(found[0] - found[1]) / max(abs(found[0]), 1e-12))


def _seconds(step: Callable[[Any], float], form: Any, count: int) -> float:
    # Of the processor: a visit is so short that another process in between would be most of it.
    began = time.process_time()
    for _ in range(count):
        step(form)
    return (time.process_time() - began) / count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``steps``."""
    parser.add_argument("--rounds", type=int, default=101)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rows, absent = [], []
    for case in cases():
        if not hasattr(functional, case.name):
            absent.append(case.name)
            continue
        timed = measure(case, options.rounds)
        value = "" if timed.apart < 1e-4 else f"{timed.apart:.1e}"
        rows.append((case.name, case.what, f"{timed.reference:.3f}", f"{timed.ours:.3f}", f"{timed.ratio:.2f}", value))
    header = ("loss", "student, teacher", "published form, ms", "here, ms", "times faster", "values apart")
    print(table(header, rows))
    if absent:
        print(f"\nNot in automl_kd.distillation.functional: {', '.join(dict.fromkeys(absent))}.")
