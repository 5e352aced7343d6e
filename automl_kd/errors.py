"""The errors of :mod:`automl_kd.core`, where scripts written for version 0.1 import them."""

from automl_kd.core import Interrupted, UserError

__all__ = ["Interrupted", "UserError"]
