"""How well the latencies of ONNX files from other people's packages are predicted on this machine.

    python benchmarks/real_files.py FOLDER [--hw local] [--times TIMES.json]

Predicts and measures every ``*.onnx`` of the folder and prints one table. Sizes that a file leaves open are filled by
rule: one image of 320 x 320 pixels, one line of text 320 pixels wide, one second of sound, 128 tokens. With ``--times``
what was measured is kept in a file, and a second run measures only what is not in there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from tables import table

from automl_kd.errors import UserError
from automl_kd.hardware import Profile, load_profile, measure

PIXELS, SECOND, WINDOW, TOKENS = 320, 16_000, 512, 128

Shapes = dict[str, tuple[int, ...]]


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


def shapes_of(path: Path) -> Shapes:
    """A whole shape for every input that leaves sizes open; no entry for the others."""
    graph = onnx.load(path, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    found = {value.name: _sizes(value, len(inputs) > 1) for value in inputs}
    return {name: _filled(sizes, real, several) for name, (sizes, real, several) in found.items() if None in sizes}


def _sizes(value: onnx.ValueInfoProto, several: bool) -> tuple[list[int | None], bool, bool]:
    tensor = value.type.tensor_type
    real = tensor.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return [dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim], real, several


def _filled(sizes: Sequence[int | None], real: bool, several: bool) -> tuple[int, ...]:
    """Open sizes by rule; a network of sound that is fed a state beside it takes a window at a time."""
    if len(sizes) == 4:
        usual = PIXELS
    elif not real:
        usual = TOKENS
    else:
        usual = WINDOW if several else SECOND
    batch = 0 if len(sizes) > 1 and sizes[0] is None else None
    if len(sizes) == 3 and sizes[0] is not None:
        batch = 1  # a state: layers, batch, width
    return tuple(1 if axis == batch else size or usual for axis, size in enumerate(sizes))


def rows(profile: Profile, paths: Sequence[Path], known: Mapping[str, float]) -> list[Row]:
    """Every file that can be predicted and measured; others are named."""
    found = []
    for path in paths:
        shapes = shapes_of(path)
        try:
            measured = known.get(path.name) or measure(path, inputs=shapes).ms
            price = profile.predict(path, inputs=shapes)
        except UserError as error:
            print(f"left out: {error}", flush=True)
            continue
        found.append(Row(path.name, measured, price.ms, price.low, price.high))
    return found


def report(found: Sequence[Row]) -> str:
    """The table, the worst first, and the two figures that it comes to."""
    ordered = sorted(found, key=lambda row: -abs(np.log1p(row.error)))
    lines = [
        [row.file, f"{row.measured:.3g}", f"{row.predicted:.3g}", f"{row.low:.3g}–{row.high:.3g}", f"{row.error:+.0%}"]
        + ["yes" if row.inside else "no"]
        for row in ordered
    ]
    median = np.median([abs(row.error) for row in found])
    inside = np.mean([row.inside for row in found])
    header = ["file", "measured ms", "predicted ms", "90 % interval", "error", "inside"]
    return f"{table(header, lines)}\n\n{len(found)} files: median error {median:.1%}, {inside:.0%} inside"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of ONNX files")
    parser.add_argument("--hw", default="local", help="a profile that is measured on this machine")
    parser.add_argument("--times", type=Path, help="file of times measured earlier; what is new is added")
    options = parser.parse_args()
    known = json.loads(options.times.read_text()) if options.times and options.times.is_file() else {}
    found = rows(load_profile(options.hw), sorted(options.folder.glob("*.onnx")), known)
    if options.times:
        options.times.write_text(json.dumps({**known, **{row.file: row.measured for row in found}}, indent=1))
    print(report(found))


if __name__ == "__main__":
    main()
