"""Decisions of a study as pure rules: how time is split, who goes on, what is compared. No torch, database, clock."""

from automl_kd.studies.policy.arms import PLAIN_KD, from_scratch, no_distillation, of_length, plain_kd
from automl_kd.studies.policy.budget import (
    DECIDING_SECONDS,
    FINISHING_SECONDS,
    LEAST_PICKS,
    MEASURING_SECONDS,
    MOST_PICKS,
    MOST_RESERVED,
    REPORT_SECONDS,
    SEEDS,
    Split,
    epoch_seconds,
    full_epochs,
    seconds_for_picks,
    split,
)
from automl_kd.studies.policy.rungs import REDUCTION, RungRecord, hopeless, promotions, rung_epochs

__all__ = [
    "DECIDING_SECONDS",
    "FINISHING_SECONDS",
    "LEAST_PICKS",
    "MEASURING_SECONDS",
    "MOST_PICKS",
    "MOST_RESERVED",
    "PLAIN_KD",
    "REDUCTION",
    "REPORT_SECONDS",
    "SEEDS",
    "RungRecord",
    "Split",
    "epoch_seconds",
    "from_scratch",
    "full_epochs",
    "hopeless",
    "no_distillation",
    "of_length",
    "plain_kd",
    "promotions",
    "rung_epochs",
    "seconds_for_picks",
    "split",
]
