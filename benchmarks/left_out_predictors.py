"""Predictions of rows that were left out, from the rows that stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from cases import Case, profile_of
from joint_fits import CHOSEN, CHOSEN_ON, OTHER_HALF, Chosen, JointFits, half_of
from published_latencies import Key


class Answer(NamedTuple):
    """A prediction with the ends of its 90 % interval, milliseconds; infinite where the network does not fit."""

    ms: float
    low: float
    high: float


class Predictor(Protocol):
    """Predicts rows of a target from its other rows and from all rows of other targets."""

    def predict(self, key: Key, kept: Collection[int], asked: Sequence[int]) -> list[Answer]:
        """Latencies of some rows.

        Args:
            key: Profile and target.
            kept: Positions of the target's rows that may be used.
            asked: Positions of the rows to predict.
        """
        ...


class Jointly:
    """A target's own rows around what all others lead to expect; the networks asked for are unknown on its device.

    Args:
        cases: Measured networks by target.
        chosen: How far targets differ.
    """

    def __init__(self, cases: Mapping[Key, Sequence[Case]], chosen: Chosen = CHOSEN) -> None:
        self._cases = cases
        self._fits = JointFits(cases, chosen)
        self._prior = cache(self._fits.prior)

    def predict(self, key: Key, kept: Collection[int], asked: Sequence[int]) -> list[Answer]:
        """As ``Predictor``."""
        cases = self._cases[key]
        prior = self._prior(key, frozenset(cases[row].measured.model for row in asked))
        profile = profile_of(key).with_fit(self._fits.without(key, sorted(kept), prior))
        said = profile.price_networks([cases[row].network for row in asked])
        return [Answer(each.ms, each.low, each.high) for each in said]


class Crossed:
    """As ``Jointly``, with levels that were chosen without the half of the devices that is asked for.

    Args:
        cases: Measured networks by target.
    """

    def __init__(self, cases: Mapping[Key, Sequence[Case]]) -> None:
        self._judges = {half: Jointly(cases, CHOSEN_ON[other]) for half, other in OTHER_HALF.items()}

    def predict(self, key: Key, kept: Collection[int], asked: Sequence[int]) -> list[Answer]:
        """As ``Predictor``."""
        return self._judges[half_of(key[0])].predict(key, kept, asked)
