"""Calibration of profiles on ten cells of devices that are not theirs.

    python benchmarks/calibration.py [--data ../shared/data] [--columns help_raspi4 ...] [--draws 5]

Every latency column of NAS-Bench-201 is taken as a foreign device: profiles of other devices under four runtimes are
calibrated on ten random cells of it, once by the profile's own rules and once by those that the left-out errors
choose, and rank some hundred other cells. Operations rank them, too; what a calibration is worth is what it adds.
The way to choose was itself chosen on five columns (``CHOSEN_ON``); the others only report.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from nas_bench_201 import cells, columns
from scipy.stats import spearmanr
from scores import Floats, Score
from tables import table

from automl_kd.core import UserError
from automl_kd.hardware import MeasuredNetwork, Network, Profile, load_profile
from automl_kd.hardware.kernels.graph import Graph
from automl_kd.hardware.target import kernels_of

STARTS = ("x86-server:pytorch", "raspberry-pi-4:tflite", "jetson-nano:tensorrt", "pixel-4:tflite-1-thread")
"""One a runtime: eager execution, TensorFlow Lite as of 2020 and today, TensorRT."""
OWN = {
    "help_gold_6226": "x86-server:pytorch",
    "help_raspi4": "raspberry-pi-4:tflite",
    "latbench_jetson_nano_fp16": "jetson-nano:tensorrt",
    "nnmeter_cortexA76": "pixel-4:tflite-1-thread",
}
"""Whose own device a column is."""
CHOSEN_ON = ("help_raspi4", "help_1080ti_1", "help_gold_6226", "help_eyeriss", "help_samsung_s7")
CELLS = 250
FEW = 10


class Column:
    """A device of the table.

    Args:
        data: Folder of published latencies.
        name: Of the column.
    """

    def __init__(self, data: Path, name: str) -> None:
        random = np.random.default_rng(1)
        self._measured = cells(data, name, lambda count: random.permutation(count)[:CELLS])
        self.name = name
        self.ms: Floats = np.array([each.ms for each in self._measured])
        self._lowered: dict[object, list[Network]] = {}

    @cached_property
    def graphs(self) -> list[tuple[Graph, ...]]:
        """Its cells."""
        tracer = load_profile(STARTS[0])
        return [tracer.graphs(each.module, each.shape) for each in self._measured]

    @cached_property
    def flops(self) -> Floats:
        """Operations of the networks as they are written."""
        return np.array([network.flops for network in self.lowered(load_profile(STARTS[0]))], dtype=np.float64)

    def lowered(self, profile: Profile) -> list[Network]:
        """The cells as kernels of a target."""
        target = profile.target
        key = (target.runtime, target.precision, target.rules["zeros"], target.rules["dead"])
        if key not in self._lowered:
            self._lowered[key] = [kernels_of(target, graph) for (graph,) in self.graphs]
        return self._lowered[key]


@dataclass(frozen=True)
class Calibrated:
    """What came of one draw of cells.

    Attributes:
        column: The device.
        flops: Spearman of operations on the cells that were not drawn.
        given: The profile calibrated by its own rules.
        chosen: By the rules that the left-out errors choose; None where the measurements were refused.
        rules: Those.
    """

    column: str
    flops: float
    given: Score
    chosen: Score | None
    rules: str


def calibrated(column: Column, start: Profile, draw: int) -> Calibrated:
    """One draw of cells."""
    random = np.random.default_rng(draw)
    drawn = random.choice(len(column.ms), FEW, replace=False)
    rest = np.setdiff1d(np.arange(len(column.ms)), drawn)
    times = column.ms[drawn].tolist()

    def score(profile: Profile) -> Score:
        networks = column.lowered(profile)
        return Score.of(profile, [networks[index] for index in rest], column.ms[rest])

    networks = column.lowered(start)
    fitted = start.refit([networks[index] for index in drawn], times, [str(index) for index in drawn], "measured")
    pairs = [
        MeasuredNetwork(str(index), column.graphs[index], ms) for index, ms in zip(drawn.tolist(), times, strict=True)
    ]
    flops = float(spearmanr(column.flops[rest], column.ms[rest])[0])
    try:
        mine = start.calibrated(pairs)
    except UserError:
        return Calibrated(column.name, flops, score(start.with_fit(fitted)), None, "refused")
    rules = "{zeros} {dead} {launches}".format(
        launches="hidden" if mine.target.queued else "summed", **mine.target.rules
    )
    return Calibrated(column.name, flops, score(start.with_fit(fitted)), score(mine), rules)


def row(what: str, found: Sequence[Calibrated]) -> list[object]:
    """Medians over starts and draws."""
    told = [each for each in found if each.chosen is not None]
    given, chosen = Score.median([each.given for each in found]), Score.median([each.chosen for each in told])
    margins = [each.chosen.spearman - each.flops for each in told]
    counts = defaultdict(int)
    for each in found:
        counts[each.rules] += 1
    most = max(counts, key=counts.__getitem__)
    return [
        what,
        len(found),
        f"{np.median([each.flops for each in found]):.3f}",
        f"{given.spearman:.3f}",
        f"{chosen.spearman:.3f}",
        f"{sum(margin < 0 for margin in margins)} ({min(margins):+.3f})",
        f"{given.median_error:.1%}",
        f"{chosen.median_error:.1%}",
        f"{chosen.coverage:.0%}",
        f"{most} {counts[most]}/{len(found)}",
    ]


HEADER = (
    "device",
    "calibrations",
    "FLOPs",
    "given rules",
    "chosen",
    "below FLOPs (worst)",
    "error, given",
    "error, chosen",
    "inside 90 %",
    "most often chosen",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--columns", nargs="+", help="only these")
    parser.add_argument("--draws", type=int, default=5, help="sets of ten cells a profile")
    options = parser.parse_args()
    if not (options.data / "nb201.csv.gz").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    torch.set_num_threads(1)
    rows, everything = [], defaultdict(list)
    for name in options.columns or columns(options.data):
        column, found = Column(options.data, name), []
        for start in STARTS:
            if OWN.get(name) != start:
                profile = load_profile(start)
                found += [calibrated(column, profile, draw) for draw in range(options.draws)]
        rows.append(row(name, found))
        print(*rows[-1], sep="  ", flush=True)
        everything[name in CHOSEN_ON] += found
    for chosen_on, what in ((True, "all that the way was chosen on"), (False, "all others")):
        if everything[chosen_on]:
            rows.append(row(what, everything[chosen_on]))
    print(table(HEADER, rows))


if __name__ == "__main__":
    main()
