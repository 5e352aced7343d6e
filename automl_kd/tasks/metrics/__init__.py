"""By what networks are compared: statistics of each example, and what they say together in any sample of examples."""

from automl_kd.tasks.metrics.lookup import metric_named, metrics_of, refuse_no_metric
from automl_kd.tasks.metrics.metric import MeanMetric, Metric, RowMetric, SumMetric
from automl_kd.tasks.metrics.registry import METRICS, MetricSpec

__all__ = [
    "METRICS",
    "MeanMetric",
    "Metric",
    "MetricSpec",
    "RowMetric",
    "SumMetric",
    "metric_named",
    "metrics_of",
    "refuse_no_metric",
]
