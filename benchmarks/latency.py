"""How well latencies are predicted, on networks that no fit saw.

    python benchmarks/latency.py [--data ../shared/data] [--rows nas-bench-201 local speed] [--networks 160]

Prints one table. ``nas-bench-201`` fits every target on published whole models alone, then on ten cells more;
``local`` measures random networks on this machine under onnxruntime;
``speed`` prices candidates of ``mobile_cnn``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from cases import cases_of
from joint_fits import JointFits
from nas_bench_201 import COLUMNS, cells
from pricing_speed import speeds
from published_latencies import published
from random_networks import FAMILIES, networks
from rich.console import Console
from rich.table import Table
from scores import Floats, Score

from automl_kd.core import Input
from automl_kd.hardware import Network, Profile, load_profile
from automl_kd.hardware.measurement.latency import measure_latencies
from automl_kd.hardware.measurement.selection import Design
from automl_kd.onnxio import export

CELLS = 300
DRAWS = 20
FEW = 10


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    what: str
    beat: str
    aim: str
    found: str


def few_shot(profile: Profile, found: Sequence[Network], ms: Floats, chosen: npt.NDArray[np.integer]) -> Score:
    """The score on the networks that were not chosen, after a refit on those that were."""
    names = [str(index) for index in chosen]
    fitted = profile.refit([found[i] for i in chosen], ms[chosen].tolist(), names, "measured")
    rest = np.setdiff1d(np.arange(len(found)), chosen)
    return Score.of(profile.with_fit(fitted), [found[i] for i in rest], ms[rest])


# -- NAS-Bench-201 ----------------------------------------------------------------------------------------------------

NAS_AIMS = {
    ("jetson-nano", "tensorflow"): ("FLOPs .69, roofline .90", "≥ .93", "counts .972", "≥ .98"),
    ("jetson-nano", "tensorrt"): ("FLOPs .27, roofline .74", "≥ .85", "counts .857", "≥ .90"),
    ("pixel-4", "tflite-1-thread"): ("FLOPs .85, roofline .93", "≥ .95", "counts .986", "≥ .988"),
    ("x86-server", "pytorch"): ("FLOPs .89", "≥ .95", "", "≥ .988"),
    ("raspberry-pi-4", "tflite"): ("FLOPs .87", "≥ .90", "counts .91", "≥ .94"),
    ("snapdragon-855", "tflite-int8"): ("", "", "", ""),
}


def nas_bench_201_lines(data: Path) -> Iterator[Line]:
    cases = {key: [] for key in NAS_AIMS} | cases_of(published(data))
    fits = JointFits(cases)
    for key, (beat, aim, few_beat, few_aim) in NAS_AIMS.items():
        column = COLUMNS[key]
        random = np.random.default_rng(0)
        measured = cells(data, column, lambda count, random=random: random.permutation(count)[:CELLS])
        profile = load_profile(":".join(key))
        found = [profile.network(each.module, each.shape) for each in measured]
        ms = np.array([each.ms for each in measured])
        start = profile.with_fit(fits.without(key, range(len(cases[key])), fits.prior(key)))
        zero = Score.of(start, found, ms)
        name = f"{column}, {key[0]}:{key[1]}"
        yield Line(f"{name}, 0 cells", beat, aim, _nas(zero))
        draws = [np.random.default_rng(draw).choice(len(found), FEW, replace=False) for draw in range(DRAWS)]
        drawn = Score.median([few_shot(start, found, ms, chosen) for chosen in draws])
        yield Line(f"{name}, {FEW} random cells", few_beat, few_aim, _nas(drawn))
        by_kind = [start.model.features(network).seconds_by_kind(start.coefficients) for network in found]
        intercepts = np.full((len(found), 1), start.coefficients.intercept)
        chosen = np.array(Design(np.hstack([np.stack(by_kind), intercepts])).choose(FEW))
        yield Line(
            f"{name}, {FEW} chosen cells",
            "",
            "≥ .92" if key[1] == "tensorrt" else "",
            _nas(few_shot(start, found, ms, chosen)),
        )


def _nas(score: Score) -> str:
    interval = f"90 % interval covers {score.coverage:.0%}"
    return f"Spearman {score.spearman:.3f}, median error {score.median_error:.1%}, {interval}"


# -- this machine -----------------------------------------------------------------------------------------------------


def local_lines(count: int) -> Iterator[Line]:
    profile = load_profile("local")
    families, found, ms = measured_here(profile, count)
    start = datasheet_alone(profile)
    folds = np.random.default_rng(0).permutation(len(found)) % 5
    seen = [
        Score.of(_refitted(start, found, ms, folds != fold), _at(found, folds == fold), ms[folds == fold])
        for fold in range(5)
    ]
    score = _mean(seen)
    what = f"local onnxruntime, {len(found)} random networks of {len(FAMILIES)} families"
    yield Line(
        f"{what}, five folds",
        "5.3 %, 87 %",
        "≤ 5 %, ≥ 90 %",
        f"mean error {score.mean_error:.1%}, within ±10 % {score.within_10:.0%}, Spearman {score.spearman:.3f}",
    )
    yield Line("  90 % intervals", "66-82 %", "88-93 %", f"cover {score.coverage:.0%}")
    at_hand = Score.of(profile, found, ms)
    yield Line(
        "  the calibration of the first use, no network of these",
        "",
        "",
        f"mean error {at_hand.mean_error:.1%}, intervals cover {at_hand.coverage:.0%}",
    )
    unseen = [
        Score.of(
            _refitted(start, found, ms, families != family), _at(found, families == family), ms[families == family]
        )
        for family in FAMILIES
    ]
    worst = ", ".join(f"{family} {each.mean_error:.1%}" for family, each in zip(FAMILIES, unseen, strict=True))
    yield Line("  a family never seen", "12.6 %", "≤ 12 %", f"mean error {_mean(unseen).mean_error:.1%} ({worst})")
    for few, beat, aim in ((5, "13.3 %", "≤ 11 %"), (10, "9.6 %", "≤ 8 %"), (20, "8.4 %", "≤ 7 %")):
        draws = [np.random.default_rng(draw).choice(len(found), few, replace=False) for draw in range(DRAWS)]
        scores = [few_shot(start, found, ms, chosen) for chosen in draws]
        middle = Score.median(scores)
        yield Line(
            f"  {few} measured pairs",
            beat,
            aim,
            f"mean error {middle.mean_error:.1%}, intervals cover {middle.coverage:.0%}",
        )


def datasheet_alone(profile: Profile) -> Profile:
    """The profile of this machine as if it could not be calibrated."""
    target = profile.target.model_copy(update={"this_machine": False, "fit": None})
    return Profile(profile.name, profile.file.model_copy(update={"targets": {profile.file.default: target}}))


def measured_here(profile: Profile, count: int) -> tuple[npt.NDArray[np.str_], list[Network], Floats]:
    """Families, kernels and milliseconds of random networks."""
    families, found, paths = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for index, (family, module, shape) in enumerate(networks(count, seed=2)):
            paths.append(export(module, Path(folder) / f"{index}.onnx", Input.of_images(shape), profile.opset))
            found.append(profile.network(paths[-1]))
            families.append(family)
        timed = measure_latencies(paths, profile.target.threads, visits=40, patience=300.0)
    return np.array(families), found, np.array([each.ms for each in timed])


def _refitted(start: Profile, found: Sequence[Network], ms: Floats, kept: npt.NDArray[np.bool_]) -> Profile:
    names = [str(index) for index in np.flatnonzero(kept)]
    return start.with_fit(start.refit(_at(found, kept), ms[kept].tolist(), names, "measured"))


def _at(found: Sequence[Network], kept: npt.NDArray[np.bool_]) -> list[Network]:
    return [found[index] for index in np.flatnonzero(kept)]


def _mean(scores: Sequence[Score]) -> Score:
    return Score(*(float(value) for value in np.mean([list(vars(score).values()) for score in scores], axis=0)))


# -- speed ------------------------------------------------------------------------------------------------------------


def speed_lines() -> Iterator[Line]:
    found = speeds()
    yield Line("candidates of mobile_cnn priced a second, warm", "tracing each: 5", "≥ 20,000", f"{found.warm:,.0f}")
    yield Line(
        "  cold: the first 10,000 in a fresh process",
        "kernel model without a cache: 830",
        "≥ 1,000",
        f"{found.cold:,.0f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parts: dict[str, Callable[[argparse.Namespace], Iterator[Line]]] = {
        "nas-bench-201": lambda options: nas_bench_201_lines(options.data),
        "local": lambda options: local_lines(options.networks),
        "speed": lambda options: speed_lines(),
    }
    parser.add_argument("--rows", nargs="+", choices=list(parts), default=list(parts), help="which rows")
    parser.add_argument("--networks", type=int, default=160, help="random networks measured here")
    options = parser.parse_args()
    if not (options.data / "nb201.csv.gz").is_file() and "nas-bench-201" in options.rows:
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    torch.set_num_threads(1)
    console = Console(width=190)
    table = Table("what", "to beat", "aim", "found")
    for part in options.rows:
        for line in parts[part](options):
            table.add_row(line.what, line.beat, line.aim, line.found)
            console.print(f"{line.what}: {line.found}", markup=False)
    console.print(table)


if __name__ == "__main__":
    main()
