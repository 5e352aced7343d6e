"""Choose how far targets differ at each level, and what the model gets wrong by itself.

    python benchmarks/choose_levels.py [--data ../shared/data] [--half a]

The standard deviations of the joint fit (``joint_fits.py``) are the most probable ones: the joint model is linearised
at its own fit, which makes the logarithms of all latencies one Gaussian, whose likelihood is maximised together with
a broad prior on the standard deviations (type II maximum likelihood; Rasmussen and Williams 2006, chapter 5). What is
printed stands in ``joint_fits.py``: as ``CHOSEN`` from all devices, and from a half of them as what the other half is
judged with.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from cases import all_cases
from joint_fits import ALIKE, LEVELS, Chosen, half_of, members_of

from automl_kd.hardware.predictor.joint import Joint, Member
from automl_kd.hardware.predictor.misfit import Misfit, Traits
from automl_kd.hardware.predictor.prior import GROUPS, Spread

_START = {"arithmetic": (0.3, 0.3), "other": (0.3, 0.3), "bandwidth": (0.3, 0.2), "launch": (0.4, 0.15)}
_START_INTERCEPT = 0.6
_START_OF_DEVICE = 0.02
"""Of what kinds have of their own on a device: a faster one is faster in all of them, or a level below says so."""
_BROAD = 0.7
"""Standard deviation of the logarithms of standard deviations around where they start."""
_ROUNDS, _STEPS = 2, 20


def start() -> Chosen:
    """What a choice starts from."""
    spreads = []
    for level in LEVELS:
        own = {name: _START_OF_DEVICE if level == "device" else pair[1] for name, pair in _START.items()}
        spreads.append(Spread.even({name: pair[0] for name, pair in _START.items()}, own, _START_INTERCEPT))
    return Chosen(tuple(spreads), Misfit(noise=0.05, alike=0.14, composition=0.5, size=2.0))


def choose(members: Sequence[Member], first: Chosen, alike: int) -> Chosen:
    """The most probable standard deviations.

    Args:
        members: Targets with what was measured of them.
        first: Where to start, and what the prior is around; a spread a level of the members.
        alike: The level whose targets share what the model gets wrong of one network.
    """
    centre, chosen = _logarithms(first), first
    for _ in range(_ROUNDS):
        found = _most_probable(_Likelihood(members, chosen, alike), _logarithms(chosen), centre)
        chosen = _unpacked(torch.exp(found).tolist(), len(first.spreads))
    return chosen


def _most_probable(likelihood: _Likelihood, begin: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """Logarithms of standard deviations."""
    found = begin.clone().requires_grad_()
    search = torch.optim.LBFGS([found], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = 0.5 * torch.sum(torch.square((found - centre) / _BROAD)) - likelihood(torch.exp(found))
        value.backward()
        return value

    search.step(loss)
    return found.detach()


class _Likelihood:
    """Of the measured logarithms under the model linearised at its joint fit, by standard deviations as packed."""

    def __init__(self, members: Sequence[Member], chosen: Chosen, alike: int) -> None:
        fitted = Joint(members, chosen.spreads, chosen.misfit, alike)
        flops = np.array([each.flops for member in members for each in member.measured])
        traits = Traits.of(fitted.slopes, flops)
        roots, sizes = torch.tensor(traits.roots), torch.tensor(traits.sizes)
        self._off = torch.tensor(fitted.offsets)
        self._parts = _parts(torch.tensor(fitted.slopes))
        owner = np.repeat(np.arange(len(members)), [len(member.measured) for member in members])
        self._same = [
            torch.tensor([[own == other for other in labels] for own in labels])[owner][:, owner]
            for labels in zip(*(member.labels for member in members), strict=True)
        ]
        self._alike = self._same[alike]
        self._apart = torch.square(torch.cdist(roots, roots)), torch.square(sizes[:, None] - sizes[None])

    def __call__(self, packed: torch.Tensor) -> torch.Tensor:
        noise, alike, composition, size = packed[-4:]
        roots, sizes = self._apart
        covariance = alike**2 * self._alike * torch.exp(-0.5 * (roots / composition**2 + sizes / size**2))
        covariance = covariance + noise**2 * torch.eye(len(self._off), dtype=torch.float64)
        for same, deviations in zip(self._same, packed[:-4].reshape(len(self._same), -1), strict=True):
            covariance = covariance + same * torch.einsum("p,pnm->nm", deviations**2, self._parts)
        lower = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(lower, self._off[:, None], upper=False)
        return -0.5 * torch.sum(white**2) - torch.sum(torch.log(torch.diagonal(lower)))


def _parts(slopes: torch.Tensor) -> torch.Tensor:
    """Covariance of all networks for each standard deviation of a level, were it 1 and the others 0, (9, N, N)."""
    found = []
    for rows in GROUPS.values():
        own = slopes[:, list(rows)]
        together = own.sum(dim=1)
        found += [torch.outer(together, together), own @ own.T]
    return torch.stack([*found, torch.outer(slopes[:, -1], slopes[:, -1])])


def _logarithms(chosen: Chosen) -> torch.Tensor:
    return torch.log(torch.tensor(_packed(chosen), dtype=torch.float64))


def _packed(chosen: Chosen) -> list[float]:
    """All standard deviations: by level what kinds share and have of their own by group, and the intercept's."""
    found: list[float] = []
    for spread in chosen.spreads:
        for together, rows in zip(spread.shared, GROUPS.values(), strict=True):
            found += [together, spread.kinds[rows[0]]]
        found.append(spread.intercept)
    misfit = chosen.misfit
    return [*found, misfit.noise, misfit.alike, misfit.composition, misfit.size]


def _unpacked(packed: Sequence[float], levels: int) -> Chosen:
    """The inverse of :func:`_packed`."""
    width = 2 * len(GROUPS) + 1
    rows = [packed[width * level : width * (level + 1)] for level in range(levels)]
    spreads = [
        Spread.even(dict(zip(GROUPS, row[:-1:2], strict=True)), dict(zip(GROUPS, row[1:-1:2], strict=True)), row[-1])
        for row in rows
    ]
    return Chosen(tuple(spreads), Misfit(*packed[-4:]))


def listing(chosen: Chosen) -> str:
    """A choice as it stands in ``joint_fits.py``."""
    misfit = chosen.misfit
    values = f"noise={misfit.noise:.2g}, alike={misfit.alike:.2g}"
    scales = f"composition={misfit.composition:.2g}, size={misfit.size:.2g}"
    lines = [f"        {_line(each)}," for each in chosen.spreads]
    return "\n".join(["Chosen(", "    (", *lines, "    ),", f"    Misfit({values}, {scales}),", ")"])


def summed(spreads: Sequence[Spread]) -> Spread:
    """How far a target lies off its datasheet by all levels together."""
    return Spread(
        tuple(np.linalg.norm([each.shared for each in spreads], axis=0).tolist()),
        tuple(np.linalg.norm([each.kinds for each in spreads], axis=0).tolist()),
        math.hypot(*(each.intercept for each in spreads)),
    )


def _line(spread: Spread) -> str:
    pairs = [
        f"{name}=({together:.2g}, {spread.kinds[rows[0]]:.2g})"
        for together, (name, rows) in zip(spread.shared, GROUPS.items(), strict=True)
    ]
    return f"spread({', '.join(pairs)}, intercept={spread.intercept:.2g})"


def main() -> None:
    """Print the choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--half", choices=("a", "b"), help="of the devices; default: all of them")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    cases = all_cases(options.data)
    kept = {key: rows for key, rows in cases.items() if options.half in (None, half_of(key[0]))}
    chosen = choose(members_of(kept), start(), ALIKE)
    print(f"{listing(chosen)}\nall levels together: {_line(summed(chosen.spreads))}")


if __name__ == "__main__":
    main()
