"""How well neural processors of Qualcomm are predicted where models, devices or precisions were left out.

    python benchmarks/qualcomm.py [--data ../shared/data] [--crossed]

- Models left out: a network is left out on every target of every device, and predicted on each from the others that
  were measured there.
- Devices left out: all targets of a device, and of the one with the same silicon, are left out; its networks are
  predicted from the profile's facts and other devices alone, and from five networks measured on the target asked for,
  drawn three times.
- Targets left out: the same, with five networks measured on one other target of the device.

With ``--crossed`` a device is judged with levels that were chosen on the other half of the devices.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from cases import Case, all_cases, profile_of
from joint_fits import CHOSEN, CHOSEN_ON, OTHER_HALF, JointFits, half_of
from left_out import HEADER, Outcome, by, summary
from left_out_predictors import Answer
from published_latencies import Key
from published_qualcomm import DEVICES, SIBLINGS
from tables import table

from automl_kd.hardware.predictor.prior import Prior

MEASURED = 5
"""Networks that are measured on a device that is new otherwise."""
DRAWS = 3
_LEAST_ASKED = 3
"""Networks that have to be left of a target to ask for."""

Cases = Mapping[Key, Sequence[Case]]


class Judge:
    """Predicts rows from what is not hidden.

    Args:
        cases: Measured networks by target.
        crossed: Whether levels are those chosen without the device's half.
    """

    def __init__(self, cases: Cases, crossed: bool) -> None:
        self._cases = cases
        fitted = {half: JointFits(cases, CHOSEN_ON[OTHER_HALF[half]]) for half in OTHER_HALF} if crossed else {}
        self._fits = fitted or dict.fromkeys(OTHER_HALF, JointFits(cases, CHOSEN))

    def prior(self, key: Key, hidden: Callable[[Key, int], bool]) -> Prior:
        """What the rows of other targets that are not hidden lead to expect of a target."""
        return self._fits[half_of(key[0])].prior_without(key, hidden)

    def outcomes(
        self, key: Key, kept: Collection[int], asked: Sequence[int], prior: Prior, group: str
    ) -> list[Outcome]:
        """What is said of rows of a target from others of it."""
        fit = self._fits[half_of(key[0])].without(key, sorted(kept), prior)
        cases = [self._cases[key][row] for row in asked]
        said = profile_of(key).with_fit(fit).price_networks([case.network for case in cases])
        return [
            Outcome(key, case, group, Answer(each.ms, each.low, each.high), 1.0)
            for case, each in zip(cases, said, strict=True)
        ]


def models_left_out(cases: Cases, judge: Judge) -> Iterator[Outcome]:
    """Every network on every target, unknown everywhere."""
    for key in _processors(cases):
        for row, case in enumerate(cases[key]):
            model = case.measured.model
            prior = judge.prior(key, lambda other, at, model=model: cases[other][at].measured.model == model)
            yield from judge.outcomes(key, set(range(len(cases[key]))) - {row}, [row], prior, model)


def devices_left_out(cases: Cases, judge: Judge) -> Iterator[tuple[str, Outcome]]:
    """Every network on every target of a new device, with the number of those measured there."""
    rng = np.random.default_rng(0)
    for key in _processors(cases):
        gone, count = _silicon(key[0]), len(cases[key])
        prior = judge.prior(key, lambda other, _, gone=gone: other[0] in gone)
        yield from (("none measured", each) for each in judge.outcomes(key, (), range(count), prior, key[0]))
        for kept in _draws(rng, count):
            asked = sorted(set(range(count)) - kept)
            yield from ((f"{MEASURED} measured", each) for each in judge.outcomes(key, kept, asked, prior, key[0]))


def targets_left_out(cases: Cases, judge: Judge) -> Iterator[Outcome]:
    """Every network on every target of a device of which few were measured on another target."""
    rng = np.random.default_rng(0)
    for key in _processors(cases):
        gone = _silicon(key[0])
        others = [other for other in _processors(cases) if other[0] == key[0] and other != key]
        for _ in range(DRAWS if others else 0):
            one = others[int(rng.integers(len(others)))]
            for kept in _draws(rng, len(cases[one]), 1):
                prior = judge.prior(
                    key,
                    lambda other, at, one=one, kept=kept, gone=gone: (
                        other[0] in gone and not (other == one and at in kept)
                    ),
                )
                yield from judge.outcomes(key, (), range(len(cases[key])), prior, _pair(one, key))


def _processors(cases: Cases) -> list[Key]:
    """Targets on neural processors."""
    return [key for key, rows in cases.items() if rows and "qnn" in profile_of(key).target.runtime]


def _silicon(device: str) -> frozenset[str]:
    """The device and the one that has the same silicon."""
    same = {DEVICES[one]: DEVICES[other] for one, other in SIBLINGS.items()}
    same |= {other: one for one, other in same.items()}
    return frozenset({device, same.get(device, device)})


def _draws(rng: np.random.Generator, count: int, draws: int = DRAWS) -> Iterator[frozenset[int]]:
    """Rows to measure, where enough are left to ask for."""
    if count >= MEASURED + _LEAST_ASKED:
        for _ in range(draws):
            yield frozenset(rng.choice(count, MEASURED, replace=False).tolist())


def _pair(one: Key, other: Key) -> str:
    """What differs between two targets of a device."""
    first, second = profile_of(one).target, profile_of(other).target
    if first.precision == second.precision:
        return "another runtime"
    return "another precision" if first.runtime == second.runtime else "another runtime and precision"


def _target(each: Outcome) -> list[str]:
    target = profile_of(each.key).target
    return [f"{target.runtime} {target.precision}"]


def report(name: str, found: Sequence[Outcome], parts: Mapping[str, Callable[[Outcome], Iterable[str]]]) -> None:
    """Totals by some parts."""
    for what, part in parts.items():
        rows = [(label, *summary(own)) for label, own in by(found, part).items()]
        print(f"\n{name}\n\n{table((what, *HEADER), [*rows, ('all', *summary(found))])}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--crossed", action="store_true", help="levels chosen without the half of the device")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    cases = all_cases(options.data)
    judge = Judge(cases, options.crossed)
    by_target = {"runtime and precision": _target}
    by_device = {"device": lambda each: [each.key[0]]}
    found = list(devices_left_out(cases, judge))
    for name in sorted({name for name, _ in found}, reverse=True):
        report(f"devices left out, {name}", [each for own, each in found if own == name], by_device | by_target)
    transferred = list(targets_left_out(cases, judge))
    report(f"{MEASURED} measured on another target", transferred, {"measured on": lambda each: [each.group]})
    report("models left out", list(models_left_out(cases, judge)), by_target | {"model": lambda each: [each.group]})


if __name__ == "__main__":
    main()
