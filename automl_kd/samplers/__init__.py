"""Which recipe to try next: Optuna samplers, made for what a study knows."""

from typing import TYPE_CHECKING, Any

from automl_kd.core import import_extra
from automl_kd.samplers.candidates import distributions
from automl_kd.samplers.known_cost import KnownCostSampler
from automl_kd.samplers.readings import AttributeReadings
from automl_kd.samplers.sampler_spec import SAMPLERS, Proposing, SamplerSpec, make_sampler
from automl_kd.samplers.tpe import multivariate_tpe
from automl_kd.samplers.worth import KnowsWorth

if TYPE_CHECKING:
    from automl_kd.samplers.ray_tune import RayTuneSearcher

__all__ = [
    "SAMPLERS",
    "AttributeReadings",
    "KnownCostSampler",
    "KnowsWorth",
    "Proposing",
    "RayTuneSearcher",
    "SamplerSpec",
    "distributions",
    "make_sampler",
    "multivariate_tpe",
]


def __getattr__(name: str) -> Any:
    if name != "RayTuneSearcher":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_extra("ray.tune.search", "ray", "RayTuneSearcher")
    from automl_kd.samplers.ray_tune import RayTuneSearcher

    return RayTuneSearcher
