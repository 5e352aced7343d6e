"""``--sampler random``: Optuna's random search."""

from optuna.samplers import RandomSampler

from automl_kd.samplers.sampler_spec import SAMPLERS, SamplerSpec

SAMPLERS.add("random", SamplerSpec(lambda asked: RandomSampler(seed=asked.seed)))
