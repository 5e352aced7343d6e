"""How well latencies are predicted where networks like those asked for were left out.

    python benchmarks/left_out.py [--data ../shared/data] [--target jetson-nano:tensorrt] [--precision int8] [--crossed]

Measured networks are left out one by one, by family, by the kind of kernel that they spend their time in, and by size
(``left_out_schemes.py``), on every target with at least six of them, and predicted from those that stay and from other
targets (``left_out_predictors.py``). Each row counts once, however many groups it was in. With ``--target`` the answers
on that target follow, row by row; ``--precision`` keeps the targets of one. With ``--crossed`` every device is judged
with levels that ``choose_levels.py`` chose on the other half of the devices.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cases import Case, all_cases, profile_of
from left_out_predictors import Answer, Crossed, Jointly, Predictor
from left_out_schemes import NOTEWORTHY, SCHEMES, Scheme
from published_latencies import Key
from tables import table

Floats = npt.NDArray[np.float64]

LEAST_REPORTED = 6
"""Rows from which on a target is in the tables."""
MOST_PARTS = 150
"""Of a table: networks that were left out one by one are listed for one target alone."""


@dataclass(frozen=True)
class Outcome:
    """What was said of a row that was left out with its group.

    Attributes:
        weight: One over the number of groups that the row was in, so that every row counts once.
    """

    key: Key
    case: Case
    group: str
    answer: Answer
    weight: float

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.answer.ms / self.case.measured.ms

    @property
    def inside(self) -> bool:
        """Whether the interval holds what was measured."""
        return self.answer.low <= self.case.measured.ms <= self.answer.high

    @property
    def width(self) -> float:
        """Factor from the middle of the interval to its ends."""
        return math.sqrt(self.answer.high / self.answer.low) if math.isfinite(self.answer.ms) else math.inf


def outcomes(scheme: Scheme, predictor: Predictor, key: Key, cases: Sequence[Case]) -> list[Outcome]:
    """All groups of a scheme on a target."""
    groups = scheme(cases)
    asked = Counter(row for group in groups for row in group.rows)
    found = []
    for group in groups:
        rows = sorted(group.rows)
        said = predictor.predict(key, set(range(len(cases))) - group.rows, rows)
        found += [
            Outcome(key, cases[row], group.name, answer, 1 / asked[row]) for row, answer in zip(rows, said, strict=True)
        ]
    return found


HEADER = ("rows", "median error", "inside 90 %", "interval ×/÷", "predicted / measured")


def summary(found: Sequence[Outcome]) -> tuple[str, ...]:
    """Rows, median error, share inside, median width and the median of predicted / measured."""
    weights = np.array([each.weight for each in found])
    ratios = np.array([each.ratio for each in found])
    inside = np.average([each.inside for each in found], weights=weights)
    return (
        str(len({(each.key, id(each.case)) for each in found})),
        f"{_median(np.abs(ratios - 1), weights):.1%}",
        f"{inside:.0%}",
        f"{_median(np.array([each.width for each in found]), weights):.2f}",
        f"{_median(ratios, weights):.2f}",
    )


def _median(values: Floats, weights: Floats) -> float:
    """The value at which half of the weight is reached; the mean of two where it is reached between them."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    middle = [int(np.searchsorted(reached, 0.5 + side, "left")) for side in (-1e-9, 1e-9)]
    return float(values[order][middle].mean())


def by(found: Iterable[Outcome], name: Callable[[Outcome], Iterable[str]]) -> dict[str, list[Outcome]]:
    """Outcomes under their names, in the order of names; one may be under several."""
    parts: dict[str, list[Outcome]] = {}
    for each in found:
        for part in name(each):
            parts.setdefault(part, []).append(each)
    return dict(sorted(parts.items()))


def kinds_of(each: Outcome) -> Iterator[str]:
    """The kinds of kernel that the network spends its time in."""
    return (str(kind) for kind, share in each.case.shares.items() if share >= NOTEWORTHY)


PARTS: dict[str, Callable[[Outcome], Iterable[str]]] = {
    "target": lambda each: [":".join(each.key)],
    "left out": lambda each: [each.group],
    "family": lambda each: [each.case.measured.family],
    "kind of kernel": kinds_of,
}


def report(scheme: str, found: Sequence[Outcome]) -> None:
    """A scheme's totals by target, by what was left out, by family and by kind of kernel."""
    printed: list[dict[str, list[Outcome]]] = []
    for what, name in PARTS.items():
        parts = by(found, name)
        if 1 < len(parts) <= MOST_PARTS and parts not in printed:
            rows = [(part, *summary(own)) for part, own in parts.items()]
            print(f"\n{scheme}\n\n{table((what, *HEADER), [*rows, ('all', *summary(found))])}")
            printed.append(parts)


def listing(scheme: str, found: Sequence[Outcome]) -> None:
    """A scheme's answers, row by row."""
    rows = [
        (
            each.group,
            each.case.measured.name,
            f"{each.case.measured.ms:.4g}",
            f"{each.answer.ms:.4g}",
            f"{each.answer.low:.4g}-{each.answer.high:.4g}",
            f"{each.ratio:.2f}",
            "" if each.inside else "outside",
        )
        for each in found
    ]
    print(f"\n{scheme}\n\n{table(('left out', 'network', 'measured ms', 'predicted', '90 %', 'ratio', ''), rows)}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--target", help="this one alone, with every answer")
    parser.add_argument("--precision", help="of the targets in the tables, all by default")
    parser.add_argument("--crossed", action="store_true", help="levels chosen without the half of the device")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    cases = all_cases(options.data)
    reported = {
        ":".join(key): key
        for key, rows in cases.items()
        if len(rows) >= LEAST_REPORTED and options.precision in (None, profile_of(key).target.precision)
    }
    if options.target and options.target not in reported:
        sys.exit(f"{options.target} has fewer than {LEAST_REPORTED} measured networks; allowed: {', '.join(reported)}")
    keys = [reported[options.target]] if options.target else list(reported.values())
    predictor: Predictor = Crossed(cases) if options.crossed else Jointly(cases)
    for name, scheme in SCHEMES.items():
        found = [each for key in keys for each in outcomes(scheme, predictor, key, cases[key])]
        if found:
            report(name, found)
        if found and options.target:
            listing(name, found)


if __name__ == "__main__":
    main()
