"""Fit the hardware profiles to published latencies and write their sections ``fit``.

    python benchmarks/fit_profiles.py [--data ../shared/data] [--profile jetson-nano]

Whole published models are rebuilt (``published_models.py``) and lowered to the kernels of each target's runtime. A
target's prior is its datasheet, moved as the measurements of other devices moved theirs under the same runtime; the
coefficients are fitted to the target's own rows, every row is then predicted by a fit without it, and that error is
written beside it. A target without rows of its own gets the moved prior and no anchors. Twenty NAS-Bench-201 cells
anchor the small end where the table has a column for the target.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from nas_bench_201 import COLUMNS, cells
from published_latencies import Measured, published
from ruamel.yaml import YAML

from automl_kd.hardware import Profile, load_profile
from automl_kd.hardware._predictor.cost import Coefficients, Features, kinds_of
from automl_kd.hardware._predictor.fit import Fitted, fit
from automl_kd.hardware._predictor.transfer import transfer
from automl_kd.hardware._schema import Anchor, Fit
from automl_kd.paths import shipped_dir

Key = tuple[str, str]

CELLS = 20
LEAST_ROWS = 2
LEAST_TO_TEACH = 6
"""Rows from which on a target's fit says something about other devices."""
ALIKE = {
    ("jetson-nano", "tensorrt-fp32"): ("jetson-nano", "tensorrt"),
    ("jetson-nano", "tensorflow"): ("jetson-nano", "pytorch"),
}
"""Measured targets of the same device that differ in precision or in what is pruned, not in the kernels."""


@dataclass(frozen=True)
class Row:
    """A measured network as the target's kernels."""

    name: str
    shape: tuple[int, ...]
    flops: int
    features: Features
    ms: float
    streamed_seconds: float
    source: str


def row(profile: Profile, measured: Measured) -> Row:
    network = profile.network(measured.module, measured.shape)
    return Row(
        measured.name,
        measured.shape,
        network.flops,
        profile._features(network),
        measured.ms,
        float(profile._limits.streaming_seconds(network.weights)),
        measured.source,
    )


class Fits:
    """Fits of all targets, each with what the others teach.

    Args:
        rows: Measured networks by target.
    """

    def __init__(self, rows: Mapping[Key, Sequence[Row]]) -> None:
        self._rows = rows
        self._priors = {key: _profile(key).target.prior for key in _targets()}
        self._alone = {
            key: self._fit(key, self._priors[key]).coefficients
            for key, found in rows.items()
            if len(found) >= LEAST_TO_TEACH
        }

    def prior(self, key: Key) -> Coefficients:
        """What the datasheet and the relatives of a target lead to expect."""
        runtime, prior = _profile(key).target.runtime, self._priors[key]
        relatives = [
            (fitted, self._priors[other])
            for other, fitted in self._alone.items()
            if (other[0] != key[0] and _profile(other).target.runtime == runtime) or other == ALIKE.get(key)
        ]
        return transfer(relatives, prior)

    def rows(self, key: Key) -> Sequence[Row]:
        """A target's own measured networks."""
        return self._rows.get(key, ())

    def fitted(self, key: Key) -> Fitted:
        """A target's own fit."""
        return self._fit(key, self.prior(key))

    def taught(self, key: Key) -> bool:
        """Whether anything is known of a target beside its datasheet."""
        return len(self._rows.get(key, ())) >= LEAST_ROWS or self.prior(key) != self._priors[key]

    def _fit(self, key: Key, prior: Coefficients) -> Fitted:
        rows = self._rows.get(key, ())
        if len(rows) < LEAST_ROWS:
            return Fitted(prior, ())
        features, seconds = [each.features for each in rows], [1e-3 * each.ms for each in rows]
        return fit(features, seconds, prior, extra=[each.streamed_seconds for each in rows])


def rows_of(published_rows: Mapping[Key, Iterable[Measured]]) -> dict[Key, list[Row]]:
    return {key: [row(_profile(key), each) for each in found] for key, found in published_rows.items()}


def with_cells(rows: Mapping[Key, Sequence[Row]], data: Path) -> dict[Key, list[Row]]:
    """The rows and, where the table has a column for the target, cells spread over it."""
    found = {key: list(each) for key, each in rows.items()}
    for key, column in COLUMNS.items():
        # The table's order is random, so that no property of a cell decides.
        chosen = cells(data, column, lambda count: np.linspace(0, count - 1, CELLS).astype(int))
        found.setdefault(key, []).extend(row(_profile(key), each) for each in chosen)
    return found


def document(fitted: Fitted, rows: Sequence[Row]) -> Fit:
    anchors = [
        Anchor(
            model=each.name,
            input=each.shape,
            gflops=round(max(each.flops, 1e5) / 1e9, 4),
            ms=each.ms,
            left_out_ms=float(f"{each.ms / math.exp(error):.4g}"),
            source=each.source,
        )
        for each, error in zip(rows, fitted.errors, strict=True)
    ]
    kinds = kinds_of(each.features for each in rows) if rows else frozenset()
    return Fit.of(fitted.coefficients, kinds, anchors)


def write(key: Key, result: Fit) -> None:
    path = shipped_dir("hardware_profiles") / f"{key[0]}.yaml"
    yaml = YAML()
    yaml.width = 120
    content = yaml.load(path.read_text(encoding="utf-8"))
    content["targets"][key[1]]["fit"] = result.model_dump(mode="json", exclude_none=True)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def report(key: Key, rows: Sequence[Row], fitted: Fitted) -> None:
    print(f"{key[0]}:{key[1]}\n  {'model':28} {'measured':>9} {'left out':>9} {'error':>7}")
    for each, error in zip(rows, fitted.errors, strict=True):
        print(f"  {each.name:28} {each.ms:9.2f} {each.ms / math.exp(error):9.2f} {math.expm1(-error):+7.1%}")
    errors = [abs(math.expm1(-error)) for error in fitted.errors]
    if errors:
        print(f"  leaving one out: median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}")


def _targets() -> list[Key]:
    names = sorted(path.stem for path in shipped_dir("hardware_profiles").glob("*.yaml"))
    return [(name, target) for name in names for target in load_profile(name).file.targets]


@cache
def _profile(key: Key) -> Profile:
    return load_profile(":".join(key))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--profile", action="append", help="only this profile; repeatable")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    rows = with_cells(rows_of(published(options.data)), options.data)
    fits = Fits(rows)
    for key in _targets():
        own = rows.get(key, [])
        if (options.profile and key[0] not in options.profile) or _profile(key).target.this_machine:
            continue
        if not fits.taught(key):
            continue
        fitted = fits.fitted(key)
        own = own if fitted.errors else []
        write(key, document(fitted, own))
        report(key, own, fitted)


if __name__ == "__main__":
    main()
