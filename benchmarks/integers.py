"""What quantised students cost on this machine: predicted before there is a file, against the file measured.

    python benchmarks/integers.py [--students 30] [--spaces tiny_cnn tiny_resnet mobile_cnn] [--pixels 32] [--visits 20]

Random students of the spaces, quantised by ``compress: [{stage: quantise}]``, are priced as plans by
``local:onnxruntime-int8``, which is calibrated at its first use on networks of its own, and by ``local``, which prices
integers by a rule. Every student is measured in one run in three forms: floats, integers by channel, integers by
tensor. Weights are random; what they are changes no time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scores import Floats
from tables import table

from automl_kd import students
from automl_kd.compression import Material, priced, write
from automl_kd.core import Signature
from automl_kd.hardware import Prediction, load_profile, measure_latencies
from automl_kd.recipes import Recipe, load_space
from automl_kd.students import Plan

FORMS = {
    "floats": [],
    "by channel": [{"stage": "quantise", "examples": 16}],
    "by tensor": [{"stage": "quantise", "examples": 16, "weights": "per-tensor"}],
}


@dataclass(frozen=True)
class Student:
    """A student in the forms of ``FORMS``: its plan and its file by the form."""

    plans: dict[str, Plan]
    files: dict[str, Path]


def drawn(spaces: list[str], count: int, signature: Signature, folder: Path) -> Iterator[Student]:
    """Random students of each space in turn, written to a folder."""
    rng = random.Random(0)
    material = Material(signature, 64, lambda asked: iter([signature.input.noise(asked)]))
    found = [load_space(name) for name in spaces]
    for number in range(count):
        part = found[number % len(found)].sample(rng).student
        student = students.build(part, signature).eval()
        plans, files = {}, {}
        for form, stages in FORMS.items():
            document = {"student": part.model_dump(exclude_none=True), "train": {"epochs": 1}, "compress": stages}
            compress = Recipe.model_validate(document).compress
            plans[form] = priced(compress, student.plan)
            files[form] = folder / f"{number:02}-{form.replace(' ', '-')}.onnx"
            write(compress, student, material, files[form], 17)
        yield Student(plans, files)


def line(what: str, said: list[Prediction], ms: Floats) -> tuple[str, ...]:
    """A row: median error, share inside the intervals, the intervals' median width, predicted over measured."""
    middle, low, high = (np.array([getattr(each, name) for each in said]) for name in ("ms", "low", "high"))
    inside = np.mean((low <= ms) & (ms <= high))
    return (
        what,
        f"{np.median(np.abs(middle / ms - 1)):.1%}",
        f"{inside:.0%}",
        f"×/÷{np.median(np.sqrt(high / low)):.2f}",
        f"{np.median(middle / ms):.2f}",
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--spaces", nargs="+", default=["tiny_cnn", "tiny_resnet", "mobile_cnn"])
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--visits", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    integers, floats = load_profile("local:onnxruntime-int8"), load_profile("local")
    _ = integers.model, floats.model  # calibrated before anything is measured
    signature = Signature.of_images((3, options.pixels, options.pixels), 10)
    with tempfile.TemporaryDirectory() as folder:
        found = list(drawn(options.spaces, options.students, signature, Path(folder)))
        files = [file for student in found for file in student.files.values()]
        timed = measure_latencies(files, visits=options.visits, patience=600.0)
    ms = dict(zip(FORMS, np.array([each.ms for each in timed]).reshape(len(found), len(FORMS)).T, strict=True))
    plans = {form: [student.plans[form] for student in found] for form in FORMS}
    rows = [
        line("floats, local", floats.price(plans["floats"]), ms["floats"]),
        line("integers by channel, local:onnxruntime-int8", integers.price(plans["by channel"]), ms["by channel"]),
        line("integers by tensor, local:onnxruntime-int8", integers.price(plans["by tensor"]), ms["by tensor"]),
        line("integers by channel, local (a rule)", floats.price(plans["by channel"]), ms["by channel"]),
    ]
    print(table(("students, priced by", "median error", "inside 90 %", "interval", "predicted / measured"), rows))
    ratios = [("integers / floats", "by channel", "floats"), ("by tensor / by channel", "by tensor", "by channel")]
    quartiles = [(what, *np.quantile(ms[a] / ms[b], (0.25, 0.5, 0.75)).round(2)) for what, a, b in ratios]
    print("\n" + table(("measured", "lower quartile", "median", "upper quartile"), quartiles))


if __name__ == "__main__":
    main()
