"""What a search may name as its sampler: one file each in ``automl_kd.samplers.forms``, or in an extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.samplers import BaseSampler

from automl_kd.core import Registry, UserError
from automl_kd.recipes import Space
from automl_kd.samplers.encoding import Features
from automl_kd.samplers.readings import Readings
from automl_kd.samplers.worth import KnowsWorth

ManyCosts = Callable[[Sequence[Mapping[str, Any]]], Sequence[float]]
"""Gives the exact value of an objective for each of many sets of parameters; infinite where the search allows none."""


@dataclass(frozen=True)
class Proposing:
    """What a search knows when it makes its sampler.

    Attributes:
        seed: Of all draws, from 0 to 2^32 - 1; a resumed study gives another than the one it began with.
        space: What is searched. Its ``starts`` are parameters to begin with.
        costs: The objectives that are known without a training, by their positions among the study's objectives.
        readings: Gives the scores of a trial that was not trained in full, by epoch.
        features: Gives sizes of untrained students, shape (n, k), which say something of their scores; or None.
    """

    seed: int
    space: Space
    costs: Mapping[int, ManyCosts]
    readings: Readings
    features: Features | None = None


@dataclass(frozen=True)
class SamplerSpec:
    """A sampler that a search may name.

    Attributes:
        make: Makes Optuna's sampler for a search.
        knows_worth: Whether that derives from :class:`KnowsWorth`, without which ``--stop-when-flat`` is refused.
    """

    make: Callable[[Proposing], BaseSampler]
    knows_worth: bool = False


SAMPLERS: Registry[SamplerSpec] = Registry(
    "sampler", home="automl_kd.samplers.forms", first=("known-cost", "tpe", "nsga2", "random", "gp")
)
"""The samplers by the names that ``--sampler`` takes."""


def make_sampler(name: str, proposing: Proposing) -> BaseSampler:
    """The sampler of that name.

    Raises:
        UserError: If there is none, or it is not what its contract says.
    """
    spec = SAMPLERS.find(name)
    sampler = spec.make(proposing)
    if isinstance(sampler, KnowsWorth) != spec.knows_worth:
        raise UserError(
            f"sampler {name}: knows_worth={spec.knows_worth} is its contract, but {type(sampler).__name__}"
            f" {'does not derive' if spec.knows_worth else 'derives'} from KnowsWorth; change one of the two"
        )
    return sampler
