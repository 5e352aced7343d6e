"""The decisions of a search, pure: plain data in, plain data out, no clock, no disk, no torch."""

from automl_kd.controller._budget import (
    FINISHING_SECONDS,
    MEASURING_SECONDS,
    MOST_PICKS,
    REPORT_SECONDS,
    SEEDS,
    Split,
    epoch_seconds,
    full_epochs,
    seconds_for_picks,
    split,
)
from automl_kd.controller._commonality import Commonality, commonalities
from automl_kd.controller._growth import hypervolumes
from automl_kd.controller._pareto import (
    Point,
    crowding_distances,
    dominates,
    hypervolume,
    knee,
    non_dominated_ranks,
    pareto_front,
    ranking,
)
from automl_kd.controller._picks import PLAIN_KD, choose_picks, near_ties, no_distillation, of_length, plain_kd
from automl_kd.controller._rungs import Standing, hopeless, promotions, rung_epochs
from automl_kd.controller._statistics import difference_error, paired_difference

__all__ = [
    "FINISHING_SECONDS",
    "MEASURING_SECONDS",
    "MOST_PICKS",
    "PLAIN_KD",
    "REPORT_SECONDS",
    "SEEDS",
    "Commonality",
    "Point",
    "Split",
    "Standing",
    "choose_picks",
    "commonalities",
    "crowding_distances",
    "difference_error",
    "dominates",
    "epoch_seconds",
    "full_epochs",
    "hopeless",
    "hypervolume",
    "hypervolumes",
    "knee",
    "near_ties",
    "no_distillation",
    "non_dominated_ranks",
    "of_length",
    "paired_difference",
    "pareto_front",
    "plain_kd",
    "promotions",
    "ranking",
    "rung_epochs",
    "seconds_for_picks",
    "split",
]
