"""All measured targets fitted together, so that each teaches about those of its runtime, processor or device."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.predictor.cost import Coefficients, Floats, Integers
from automl_kd.hardware.predictor.gauss_newton import Steps
from automl_kd.hardware.predictor.misfit import Misfit, Traits
from automl_kd.hardware.predictor.prior import WIDTH, Prior, Spread
from automl_kd.hardware.predictor.timed import TimedKernels, TimedNetworks

_STEPS = Steps(most=30, whole=5, settled=3e-3)


@dataclass(frozen=True, slots=True)
class Member:
    """A target with what was measured of it.

    Attributes:
        labels: What it has in common with others, one label a level: targets with equal labels move together there.
        centre: Coefficients that its datasheet leads to expect.
        measured: Its measured networks; may be none.
    """

    labels: tuple[Hashable, ...]
    centre: Coefficients
    measured: Sequence[TimedKernels]


class Joint:
    """All targets fitted together: a coefficient is its datasheet's, moved at every level and by the target itself.

    The prior on these moves is Gaussian (Gelman et al., Bayesian Data Analysis, chapter 15). So what targets have in
    common is learned from all of them, and what none of them measured stays uncertain. Gauss-Newton steps are taken in
    the space of the measured networks, because there are fewer of them than of coefficients.

    Args:
        members: The targets.
        levels: How far targets differ at each level, as many as every member has labels.
        misfit: What the model gets wrong.
        alike: Index of the level whose targets share the misfit of a network.
    """

    def __init__(self, members: Sequence[Member], levels: Sequence[Spread], misfit: Misfit, alike: int) -> None:
        self._members = members
        self._covariances = [level.covariance() for level in levels]
        self._owner = np.repeat(np.arange(len(members)), [len(member.measured) for member in members])
        self._networks = {index: TimedNetworks(each.measured) for index, each in enumerate(members) if each.measured}
        self._labels = np.stack([_numbered([m.labels[level] for m in members]) for level in range(len(levels))])
        self._measured = np.concatenate([networks.logarithms for networks in self._networks.values()])
        self._centres = np.stack([member.centre.pack() for member in members])
        self._slopes: Floats = np.empty((0, WIDTH))
        self._off: Floats = np.empty(0)
        self._solve(misfit, alike)
        self._inverse: Floats = np.linalg.inv(self._covariance)

    @property
    def slopes(self) -> Floats:
        """Derivatives of the logarithm of every network's time by its target's log-coefficients, (N, 3 K + 1)."""
        return self._slopes

    @property
    def offsets(self) -> Floats:
        """``log(measured / predicted)`` by the datasheet, extrapolated along those derivatives, (N,)."""
        return self._off

    def prior(self, member: int, without: Collection[tuple[int, int]] = ()) -> Prior:
        """What all other targets lead to expect of one.

        Args:
            member: Its index.
            without: Networks that are left out, as index of the target and of the network.
        """
        first = np.searchsorted(self._owner, np.arange(len(self._members)))
        gone: Integers = np.union1d(
            np.flatnonzero(self._owner == member),
            np.array([first[target] + row for target, row in without], dtype=np.intp),
        )
        cross = self._with_rows(member)
        cross[:, gone] = 0.0
        off = np.where(np.isin(np.arange(len(self._owner)), gone), 0.0, self._off)
        # The inverse over the rows that stay, from the inverse over all.
        right = np.column_stack([off, cross.T])
        solved = self._inverse @ right
        solved -= self._inverse[:, gone] @ np.linalg.solve(self._inverse[np.ix_(gone, gone)], solved[gone])
        moved = self._centres[member] + cross @ solved[:, 0]
        covariance = sum(self._covariances, np.zeros((WIDTH, WIDTH))) - cross @ solved[:, 1:]
        centre = Coefficients.unpack(moved, self._members[member].centre.queued)
        return Prior(centre, 0.5 * (covariance + covariance.T))

    def _with_rows(self, member: int) -> Floats:
        """Covariance of a target's coefficients with every measured network, (3 K + 1, N)."""
        found = np.zeros((WIDTH, len(self._owner)))
        for labels, covariance in zip(self._labels, self._covariances, strict=True):
            alike = labels[self._owner] == labels[member]
            found[:, alike] += covariance @ self._slopes[alike].T
        return found

    def _solve(self, misfit: Misfit, alike: int) -> None:
        flops = np.concatenate([networks.flops for networks in self._networks.values()])
        group = self._labels[alike][self._owner]

        def move(place: Floats) -> Floats:
            logarithms, slopes = self._linear(place)
            self._slopes = slopes
            self._off = self._measured - logarithms + np.sum(slopes * (place - self._centres)[self._owner], axis=1)
            shared = misfit.shared(traits := Traits.of(slopes, flops), traits)
            self._covariance = shared * (group[:, None] == group[None]) + misfit.noise**2 * np.eye(len(self._owner))
            for labels, covariance in zip(self._labels, self._covariances, strict=True):
                same = labels[self._owner][:, None] == labels[self._owner][None]
                self._covariance += same * (slopes @ covariance @ slopes.T)
            pull = slopes * np.linalg.solve(self._covariance, self._off)[:, None]
            wanted: Floats = self._centres + self._pulled(pull) - place
            return wanted

        _STEPS.descend(self._centres.copy(), move)

    def _pulled(self, pull: Floats) -> Floats:
        """Moves of all targets under the pull of every network on coefficients, (T, 3 K + 1)."""
        found = np.zeros((len(self._members), WIDTH))
        for labels, covariance in zip(self._labels, self._covariances, strict=True):
            sums = np.zeros((int(labels.max()) + 1, WIDTH))
            np.add.at(sums, labels[self._owner], pull)
            found += sums[labels] @ covariance
        return found

    def _linear(self, place: Floats) -> tuple[Floats, Floats]:
        """Logarithms of the seconds of every network, and their derivatives by its target's log-coefficients."""
        parts = [
            networks.linearised(Coefficients.unpack(place[index], self._members[index].centre.queued))
            for index, networks in self._networks.items()
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _numbered(labels: Sequence[Hashable]) -> Integers:
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels], dtype=np.intp)
