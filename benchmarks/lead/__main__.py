"""What a search is worth to its user: the picks of searches that are replayed on tables of trainings."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is there: a run has a process of its own

from benchmarks.lead import replay, table


def main() -> None:
    """Run one section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lead", description=__doc__)
    sections = parser.add_subparsers(required=True, metavar="SECTION")
    for module in (table, replay):
        name = module.__name__.rpartition(".")[2]
        section = sections.add_parser(name, help=(module.__doc__ or "").strip().splitlines()[0])
        module.add_arguments(section)
        section.set_defaults(run=module.main)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
