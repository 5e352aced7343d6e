"""``--sampler tpe``: Optuna's tree-structured Parzen estimator, set up for conditional spaces."""

from automl_kd.samplers.sampler_spec import SAMPLERS, SamplerSpec
from automl_kd.samplers.tpe import multivariate_tpe

SAMPLERS.add("tpe", SamplerSpec(lambda asked: multivariate_tpe(asked.seed)))
