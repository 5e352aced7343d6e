"""How many trained students a search needs: the sampler beside Optuna's own. Each section prints the README's table."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is there: a run has a process of its own

from benchmarks.search import evaluations, fidelity, gp, large, mixed, mixed_trainings, second_device, speed, taken_over


def main() -> None:
    """Run one section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    sections = parser.add_subparsers(required=True, metavar="SECTION")
    for module in (evaluations, gp, fidelity, taken_over, mixed, mixed_trainings, second_device, speed, large):
        name = module.__name__.rpartition(".")[2]
        section = sections.add_parser(name, help=(module.__doc__ or "").strip().splitlines()[0])
        module.add_arguments(section)
        section.set_defaults(run=module.main)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
