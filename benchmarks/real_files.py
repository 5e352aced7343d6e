"""How well the latencies of ONNX files from other people's packages are predicted on this machine.

    python benchmarks/real_files.py FOLDER [--hw local] [--times TIMES.json]

Predicts and measures every ``*.onnx`` of the folder and prints one table. Sizes that a file leaves open are filled by
the first of a few rules on which it runs: an image of 320 x 320 pixels or a second of sound at 16 kHz, a line of text
or a window of sound, and so on. With ``--times`` what was measured is kept in a file, and a second run measures only
what is not in there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import onnx
from tables import table

from automl_kd.core import UserError
from automl_kd.hardware import Profile, load_profile, measure_latency

Shapes = dict[str, tuple[int, ...]]


class Timed(TypedDict):
    """What was measured, and on which shapes."""

    ms: float
    shapes: Shapes


@dataclass(frozen=True)
class Rule:
    """Sizes to fill in: of pictures, and of anything with fewer axes."""

    picture: tuple[int, int]
    steps: int


RULES = (Rule((320, 320), 16_000), Rule((48, 320), 512), Rule((224, 224), 256), Rule((640, 640), 128))
"""An image or a second of sound; a line of text or a window of sound; and what else is usual."""


@dataclass(frozen=True)
class Row:
    """A file on a device: ``error`` is ``predicted / measured - 1``."""

    file: str
    measured: float
    predicted: float
    low: float
    high: float

    @property
    def error(self) -> float:
        return self.predicted / self.measured - 1

    @property
    def inside(self) -> bool:
        return self.low <= self.measured <= self.high


def shapes_of(path: Path) -> Iterator[Shapes]:
    """Whole shapes of the inputs that leave sizes open, by one rule after another."""
    graph = onnx.load(path, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    declared = {value.name: _declared(value) for value in inputs}
    for rule in RULES:
        yield {name: _filled(sizes, rule) for name, sizes in declared.items() if None in sizes}


def _declared(value: onnx.ValueInfoProto) -> list[int | None]:
    return [dim.dim_value if dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]


def _filled(sizes: Sequence[int | None], rule: Rule) -> tuple[int, ...]:
    """Open sizes by a rule: the first is a batch of one, and so is the second where a state has its layers before."""
    batch = 0 if len(sizes) > 1 and sizes[0] is None else 1 if len(sizes) == 3 else None
    rest = [axis for axis, size in enumerate(sizes) if size is None and axis != batch]
    usual = rule.picture if len(sizes) > 3 else (rule.steps,)
    filled = dict(zip(rest, usual[-len(rest) :], strict=False)) if rest else {}
    return tuple(size or filled.get(axis, 1) for axis, size in enumerate(sizes))


def rows(profile: Profile, paths: Sequence[Path], known: dict[str, Timed]) -> list[Row]:
    """Every file that can be predicted and measured; others are named. What is measured anew is added to ``known``."""
    found = []
    for path in paths:
        try:
            timed = known[path.name] if path.name in known else timed_file(path)
            price = profile.predict(path, inputs=timed["shapes"])
        except UserError as error:
            print(f"left out: {error}", flush=True)
            continue
        known[path.name] = timed
        found.append(Row(path.name, timed["ms"], price.ms, price.low, price.high))
    return found


def timed_file(path: Path) -> Timed:
    """A file at the first shapes that it runs on."""
    for shapes in shapes_of(path):
        try:
            return {"ms": measure_latency(path, inputs=shapes).ms, "shapes": shapes}
        except UserError as error:
            refused = error
    raise refused


def report(found: Sequence[Row]) -> str:
    """The table, the worst first, and the two figures that it comes to."""
    ordered = sorted(found, key=lambda row: -abs(np.log1p(row.error)))
    lines = [
        (row.file, *map(_short, (row.measured, row.predicted, row.low, row.high)), f"{row.error:+.0%}", row.inside)
        for row in ordered
    ]
    median = np.median([abs(row.error) for row in found])
    inside = np.mean([row.inside for row in found])
    header = ["file", "measured ms", "predicted ms", "low", "high", "error", "inside"]
    return f"{table(header, lines)}\n\n{len(found)} files: median error {median:.1%}, {inside:.0%} inside"


def _short(ms: float) -> str:
    return f"{ms:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of ONNX files")
    parser.add_argument("--hw", default="local", help="a profile that is measured on this machine")
    parser.add_argument("--times", type=Path, help="file of times measured earlier; what is new is added")
    options = parser.parse_args()
    known: dict[str, Timed] = json.loads(options.times.read_text()) if options.times and options.times.is_file() else {}
    found = rows(load_profile(options.hw), sorted(options.folder.glob("*.onnx")), known)
    if options.times:
        options.times.write_text(json.dumps(known, indent=1))
    print(report(found))


if __name__ == "__main__":
    main()
