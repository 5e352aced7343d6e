"""The command line: one file per verb, each a thin shell around the function of the same name."""

from automl_kd.cli.main import main

__all__ = ["main"]
