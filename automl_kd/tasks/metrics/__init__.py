"""By what networks are compared: statistics of each example, and what they say together in any sample of examples."""

from automl_kd.tasks.metrics.lookup import Problem, metric_named, metrics_of
from automl_kd.tasks.metrics.metric import MeanMetric, Metric, RowMetric, SumMetric

__all__ = ["MeanMetric", "Metric", "Problem", "RowMetric", "SumMetric", "metric_named", "metrics_of"]
