"""``--sampler known-cost``: the project's own, which models only what must be trained."""

from automl_kd.samplers.known_cost import KnownCostSampler
from automl_kd.samplers.sampler_spec import SAMPLERS, Proposing, SamplerSpec


def known_cost(asked: Proposing) -> KnownCostSampler:
    """The sampler, told the space, the known costs, the students' sizes and the scores of shorter trainings."""
    return KnownCostSampler(
        asked.costs,
        vectorized=True,
        space=asked.space,
        seed=asked.seed,
        starts=asked.space.starts,
        features=asked.features,
        readings=asked.readings,
    )


SAMPLERS.add("known-cost", SamplerSpec(known_cost, knows_worth=True))
