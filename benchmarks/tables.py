"""Tables as the README keeps them, and the few statistics in them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    first, *others = (f"| {' | '.join(map(str, line))} |" for line in (header, *rows))
    return "\n".join((first, "|---" * len(header) + "|", *others))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; the error of a single value is not known."""
    if len(values) < 2:
        return statistics.fmean(values), math.nan
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def points(values: Sequence[float], sign: str = "+") -> str:
    """Mean ± standard error of differences of accuracies, in points."""
    mean, error = mean_and_error([100 * value for value in values])
    return f"{mean:{sign}.2f} ± {error:.2f}"


def with_error(values: Sequence[float], sign: str = "") -> str:
    """Mean ± standard error, the mean alone of a single value."""
    mean, error = mean_and_error(values)
    return f"{mean:{sign}.2f}" + ("" if math.isnan(error) else f" ± {error:.2f}")
