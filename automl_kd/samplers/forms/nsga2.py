"""``--sampler nsga2``: Optuna's genetic algorithm for several objectives."""

from optuna.samplers import NSGAIISampler

from automl_kd.samplers.sampler_spec import SAMPLERS, SamplerSpec

SAMPLERS.add("nsga2", SamplerSpec(lambda asked: NSGAIISampler(seed=asked.seed)))
