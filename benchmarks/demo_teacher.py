"""Train the teacher of task cluttered-digits, which comes with the package, as it was trained.

    python -m benchmarks.demo_teacher [--out automl_kd/tasks/cluttered_digits_teacher.safetensors]

It learns from 20,000 scenes of the handwriting that students see 500 of; digits of search-validation and test it never
saw. It takes a minute and a half on one core, and gives the same bytes again on the same machine.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from automl_kd import tasks
from automl_kd.core import cache_dir
from automl_kd.distillation import evaluate_teacher, find_teacher
from automl_kd.tasks import open_task

_TASK = """\
version: 1
name: cluttered-digits-teacher
data: {kind: cluttered-digits, scenes: 20000}
teacher:
  train:
    student: {family: resnet, depth: 8}
    train: {epochs: 12, batch_size: 128, warmup: 0.1, augment: [crop]}
"""
_OUT = Path(tasks.__file__).with_name("cluttered_digits_teacher.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=_OUT, help="file")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.yaml"
        path.write_text(_TASK, encoding="utf-8")
        task = open_task(str(path))
        teacher = find_teacher(task, None, device="cpu").teacher
    shutil.copyfile(cache_dir() / "teachers" / f"{teacher.sha256}.safetensors", out)
    right = evaluate_teacher(teacher, task, task.test).score
    print(f"{out}: {teacher.sha256}, right on {100 * right:.1f} % of the test")


if __name__ == "__main__":
    main()
