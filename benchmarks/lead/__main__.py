"""What a search is worth to its user: the picks of searches that are replayed on tables of trainings."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is there: a run has a process of its own

from benchmarks import sections
from benchmarks.lead import replay, table

if __name__ == "__main__":
    sections.run("benchmarks.lead", __doc__, (table, replay))
