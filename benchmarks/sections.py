"""Programs of several sections, each a module with ``add_arguments`` and ``main``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import ModuleType


def run(program: str, description: str | None, modules: Sequence[ModuleType]) -> None:
    """Run the section that the command line names, after its module."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sections = parser.add_subparsers(required=True, metavar="SECTION")
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        section = sections.add_parser(name, help=(module.__doc__ or "").strip().splitlines()[0])
        module.add_arguments(section)
        section.set_defaults(run=module.main)
    options = parser.parse_args()
    options.run(options)
