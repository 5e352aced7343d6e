"""Samples that metrics are tested on: ties, constant outputs, absent classes, single examples, any weights."""

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st


@dataclass(frozen=True)
class Case:
    """Outputs and labels of a problem, weights of the examples or None, and how many classes the problem has."""

    outputs: torch.Tensor
    labels: torch.Tensor
    weights: np.ndarray | None
    classes: int

    @property
    def kept(self):
        """Which examples the weights leave in the sample."""
        return np.ones(len(self.labels), bool) if self.weights is None else self.weights > 0

    @property
    def kept_weights(self):
        return None if self.weights is None else self.weights[self.kept]

    @property
    def kept_labels(self):
        return self.labels.numpy()[self.kept]

    @property
    def kept_outputs(self):
        return self.outputs[torch.from_numpy(self.kept)].double()

    def statistics(self, metric):
        return metric.statistics(self.outputs, self.labels)

    def value(self, metric):
        return metric.value(self.statistics(metric), self.weights)


@st.composite
def weightings(draw, rows):
    """None, the draws of a bootstrap, or any weights."""
    kind = draw(st.sampled_from(["none", "draws", "any"]))
    if kind == "none":
        return None
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind == "draws":
        return source.multinomial(rows, np.full(rows, 1 / rows)).astype(np.float64)
    weights = source.exponential(size=rows) * (source.random(rows) < 0.8)
    return weights if weights.sum() > 0 else np.ones(rows)


@st.composite
def multiclass_cases(draw, most_classes=7):
    classes, rows = draw(st.integers(2, most_classes)), draw(st.integers(1, 50))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = source.integers(0, draw(st.integers(1, classes)), rows)
    return Case(_outputs(draw, source, rows, classes), torch.from_numpy(labels), draw(weightings(rows)), classes)


@st.composite
def multilabel_cases(draw):
    names, rows = draw(st.integers(1, 5)), draw(st.integers(1, 50))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = source.random((rows, names)) < source.random(names) * draw(st.sampled_from([0.1, 1.0]))
    labels = torch.from_numpy(labels).to(draw(st.sampled_from([torch.int64, torch.float32, torch.bool])))
    return Case(_outputs(draw, source, rows, names), labels, draw(weightings(rows)), names)


@st.composite
def regression_cases(draw):
    rows, numbers = draw(st.integers(1, 50)), draw(st.integers(0, 3))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape, offset = (rows, numbers) if numbers else (rows,), draw(st.sampled_from([0.0, 1e4]))
    labels = offset + np.round(source.normal(size=shape) * 8) / 4
    outputs = labels + np.round(source.normal(size=shape) * 8) / 4 * draw(st.sampled_from([0, 1]))
    return Case(torch.from_numpy(outputs), torch.from_numpy(labels), draw(weightings(rows)), numbers)


ALL_CASES = {"multiclass": multiclass_cases(), "multilabel": multilabel_cases(), "regression": regression_cases()}


def _outputs(draw, source, rows, columns):
    kind = draw(st.sampled_from(["any", "ties", "constant"]))
    logits = 3 * source.normal(size=(rows, columns))
    if kind == "ties":
        logits = np.round(logits)
    if kind == "constant":
        logits = np.zeros((rows, columns)) + draw(st.sampled_from([0.0, 1.5]))
    return torch.from_numpy(logits).to(draw(st.sampled_from([torch.float32, torch.float64])))
