"""How many trained students a search needs: the sampler beside Optuna's own. Each section prints the README's table."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is there: a run has a process of its own

from benchmarks import sections
from benchmarks.search import evaluations, fidelity, gp, large, mixed, mixed_trainings, second_device, speed, taken_over

if __name__ == "__main__":
    sections.run(
        "benchmarks.search",
        __doc__,
        (evaluations, gp, fidelity, taken_over, mixed, mixed_trainings, second_device, speed, large),
    )
