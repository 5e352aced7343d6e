"""onnxruntime, imported in one place, so that one line tells where it is broken."""

from __future__ import annotations

from automl_kd.core import import_extra

onnxruntime = import_extra("onnxruntime", None, "automl-kd")
