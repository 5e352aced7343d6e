"""What students of timm's networks take of files of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from automl_kd.core import Signature, UserError
from automl_kd.students.chain import TAIL
from automl_kd.students.family import Inherited, Published
from automl_kd.students.plans import map_shape
from automl_kd.students.timm_names import named_as_timm
from automl_kd.students.timm_net import Net, settings_of

if TYPE_CHECKING:
    from automl_kd.students.families.timm import Timm

_COLOURS = 3
_COUNTER = "num_batches_tracked"


def published(spec: Timm) -> Published | None:
    """The published weights of the network of a part."""
    settings = settings_of(spec.model)
    if settings is None or not settings.has_weights:
        return None
    return Published(spec.model, settings.hf_hub_id or None)
