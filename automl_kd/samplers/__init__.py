"""Which recipe to try next: Optuna samplers, made for what a study knows."""

from typing import TYPE_CHECKING, Any

from automl_kd.extras import import_extra
from automl_kd.samplers._candidates import distributions
from automl_kd.samplers._known_cost import KnownCostSampler
from automl_kd.samplers._tpe import multivariate_tpe

if TYPE_CHECKING:
    from automl_kd.samplers._ray_tune import RayTuneSearcher

__all__ = ["KnownCostSampler", "RayTuneSearcher", "distributions", "multivariate_tpe"]


def __getattr__(name: str) -> Any:
    if name != "RayTuneSearcher":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_extra("ray.tune.search", "ray", "RayTuneSearcher")
    from automl_kd.samplers._ray_tune import RayTuneSearcher

    return RayTuneSearcher
