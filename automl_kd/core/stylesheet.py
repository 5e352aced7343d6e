"""The look that reports and pages share."""

from __future__ import annotations

from importlib.resources import files


def stylesheet() -> str:
    """CSS of a light or dark page: its colours as variables, headings, tables, code."""
    return files("automl_kd.core").joinpath("style.css").read_text(encoding="utf-8")
