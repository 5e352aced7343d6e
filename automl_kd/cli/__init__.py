"""The command line: one file per verb, each a thin shell around the function of the same name."""

from automl_kd.cli._main import main

__all__ = ["main"]
