"""The decisions of a search, pure: plain data in, plain data out, no clock, no disk, no torch."""

from automl_kd.controller.commonality import Commonality, commonalities
from automl_kd.controller.growth import hypervolumes
from automl_kd.controller.pareto import (
    Point,
    crowding_distances,
    dominates,
    hypervolume,
    knee,
    non_dominated_ranks,
    pareto_front,
    ranking,
)
from automl_kd.controller.statistics import difference_error, paired_difference

__all__ = [
    "Commonality",
    "Point",
    "commonalities",
    "crowding_distances",
    "difference_error",
    "dominates",
    "hypervolume",
    "hypervolumes",
    "knee",
    "non_dominated_ranks",
    "paired_difference",
    "pareto_front",
    "ranking",
]
