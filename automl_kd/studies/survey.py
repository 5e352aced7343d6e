"""What a random sample of a space costs, before any candidate is proposed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_kd.core import UserError
from automl_kd.recipes import Recipe, Space
from automl_kd.studies.pricing import Limits, Priced, Pricing

_POOL = 64
_MOST_SAMPLES = 2048
_EXAMPLES = 5


@dataclass(frozen=True)
class Survey:
    """What a random sample of a space costs.

    Attributes:
        sampled: Number of recipes priced.
        feasible: Share of them within the limits.
        latency_ms: Quantiles 0, 0.25, 0.5, 0.75, 1 of the predicted latency.
        params: The same of the number of parameters.
        extrapolated: Mean shares of their time in kinds of kernel that were not measured on the target, dearest first.
        examples: The first few with their price.
    """

    sampled: int
    feasible: float
    latency_ms: tuple[float, ...]
    params: tuple[float, ...]
    extrapolated: dict[str, float]
    examples: tuple[tuple[Recipe, Priced], ...]


def survey(space: Space, pricing: Pricing, limits: Limits, seed: int) -> Survey:
    """Price a random sample of the space.

    Raises:
        UserError: If the space holds a single recipe, or nothing of a large sample is within the limits: which limit
            binds, and what comes nearest.
    """
    if space.size() == 1:
        raise UserError(
            f"{space.source}: holds a single recipe, so there is nothing to search; distil it with automl-kd distill,"
            " or leave a hole in the space"
        )
    rng = random.Random(seed)
    recipes: list[Recipe] = []
    prices: list[Priced] = []
    while not any(limits.excess(price) is None for price in prices):
        if len(prices) >= _MOST_SAMPLES:
            raise UserError(_nothing_fits(prices, limits))
        recipes += [space.sample(rng) for _ in range(_POOL)]
        prices += pricing.price(recipes[len(prices) :])
    shares = [0, 0.25, 0.5, 0.75, 1]
    return Survey(
        sampled=len(prices),
        feasible=sum(limits.excess(price) is None for price in prices) / len(prices),
        latency_ms=tuple(float(x) for x in np.quantile([price.here.ms for price in prices], shares)),
        params=tuple(float(x) for x in np.quantile([price.here.params for price in prices], shares)),
        extrapolated=pricing.extrapolated(recipes),
        examples=tuple(zip(recipes[:_EXAMPLES], prices[:_EXAMPLES], strict=True)),
    )


def _nothing_fits(prices: Sequence[Priced], limits: Limits) -> str:
    nearest = [
        f"{option} is {limit:.6g} {unit}, but the least in the sample is {least:.6g}"
        for option, limit, least, unit in (
            ("--max-latency", limits.max_latency_ms, min(price.here.ms for price in prices), "ms"),
            ("--max-params", limits.max_params, min(price.here.params for price in prices), "parameters"),
            ("--max-memory", limits.max_memory_bytes, min(price.here.memory_bytes for price in prices), "bytes"),
        )
        if limit is not None and limit < least < math.inf
    ]
    places = {"the device": [price.here for price in prices]}
    places |= {name: [price.elsewhere[name] for price in prices] for name in prices[0].elsewhere}
    nearest += [
        f"even the smallest needs {min(each.missing_bytes for each in there)} bytes more memory than {name} has"
        for name, there in places.items()
        if not any(each.fits for each in there)
    ]
    reason = "; ".join(nearest) or "each limit alone can be met, but not all together"
    return f"none of {len(prices)} sampled candidates is within the limits: {reason}"
