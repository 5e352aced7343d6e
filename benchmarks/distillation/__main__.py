"""Sections of the distillation benchmark, each printing the table that the README keeps.

python -m benchmarks.distillation speed [--peer-python PATH]
python -m benchmarks.distillation steps
python -m benchmarks.distillation losses --results FILE
python -m benchmarks.distillation balance --results FILE
"""

from __future__ import annotations

from benchmarks import sections
from benchmarks.distillation import balance, losses, speed, steps

if __name__ == "__main__":
    sections.run("benchmarks.distillation", __doc__, (speed, steps, losses, balance))
