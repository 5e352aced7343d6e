"""``--sampler gp``: Optuna's Gaussian process."""

from optuna.samplers import GPSampler

from automl_kd.samplers.sampler_spec import SAMPLERS, SamplerSpec

SAMPLERS.add("gp", SamplerSpec(lambda asked: GPSampler(seed=asked.seed)))
