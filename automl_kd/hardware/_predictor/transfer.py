"""What measured devices teach about one that was not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl_kd.hardware._predictor.cost import Coefficients, Floats


def transfer(relatives: Sequence[tuple[Coefficients, Coefficients]], prior: Coefficients) -> Coefficients:
    """The datasheet's coefficients of a target, moved as those of its relatives were moved by their measurements.

    What a runtime makes of a peak (the share that depthwise convolutions reach, what a launch costs) is much the same
    on devices of one kind. The mean move of n relatives counts n / (n + 1), since each device also has moves of its
    own.

    Args:
        relatives: Fitted coefficients and datasheet of each.
        prior: Datasheet of the target.
    """
    if not relatives:
        return prior
    moves: Floats = np.stack([fitted.pack() - expected.pack() for fitted, expected in relatives])
    weight = len(relatives) / (len(relatives) + 1)
    return Coefficients.unpack(prior.pack() + weight * moves.mean(axis=0), prior.queued)
