"""What is measured at the moment at which somebody asks for measurements."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

_STATES = ("queued", "running", "done", "failed", "cancelled")


class Gauges:
    """Searches by state, listeners, and the time since the start.

    Args:
        registry: Takes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._searches = Gauge("automl_kd_searches", "Searches.", ("state",), registry=registry)
        self._listeners = Gauge("automl_kd_listeners", "Listeners of events.", registry=registry)
        self._up = Gauge("automl_kd_up_seconds", "Time since the start.", registry=registry)
        self._began = time.monotonic()

    def take(self, searches: Mapping[str, int], listeners: int) -> None:
        """Measure.

        Args:
            searches: Numbers by state.
            listeners: Of events.
        """
        for state in _STATES:
            self._searches.labels(state).set(searches.get(state, 0))
        self._listeners.set(listeners)
        self._up.set(time.monotonic() - self._began)
