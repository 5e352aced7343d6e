"""What a search optimises, pure: objectives, points, fronts, volumes, and what a difference of two values is worth."""

from automl_kd.objectives.bootstrap import (
    Difference,
    FunctionOfMeans,
    Resampled,
    difference_error,
    paired_difference,
    share_error,
    standard_error,
)
from automl_kd.objectives.commonality import Commonality, commonalities
from automl_kd.objectives.objective import Direction, Objective, Point
from automl_kd.objectives.pareto import (
    crowding_distances,
    dominates,
    non_dominated,
    non_dominated_ranks,
    pareto_front,
    ranking,
)
from automl_kd.objectives.selection import choose_spread, knee, near_ties
from automl_kd.objectives.volume import dominated_volume, dominated_volumes, growth, hypervolume

__all__ = [
    "Commonality",
    "Difference",
    "Direction",
    "FunctionOfMeans",
    "Objective",
    "Point",
    "Resampled",
    "choose_spread",
    "commonalities",
    "crowding_distances",
    "difference_error",
    "dominated_volume",
    "dominated_volumes",
    "dominates",
    "growth",
    "hypervolume",
    "knee",
    "near_ties",
    "non_dominated",
    "non_dominated_ranks",
    "paired_difference",
    "pareto_front",
    "ranking",
    "share_error",
    "standard_error",
]
