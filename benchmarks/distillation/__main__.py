"""Sections of the distillation benchmark, each printing the table that the README keeps.

python -m benchmarks.distillation speed [--peer-python PATH]
python -m benchmarks.distillation steps
python -m benchmarks.distillation losses --results FILE
python -m benchmarks.distillation balance --results FILE
"""

from __future__ import annotations

import argparse

from benchmarks.distillation import balance, losses, speed, steps


def main() -> None:
    """Run one section."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.distillation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sections = parser.add_subparsers(required=True, metavar="SECTION")
    for module in (speed, steps, losses, balance):
        name = module.__name__.rpartition(".")[2]
        section = sections.add_parser(name, help=(module.__doc__ or "").strip().splitlines()[0])
        module.add_arguments(section)
        section.set_defaults(run=module.main)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
