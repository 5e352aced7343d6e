"""What forms offer: devices with their errors, tasks, spaces, samplers."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from automl_kd.core import UserError
from automl_kd.service.context import Service
from automl_kd.service.pages import wording
from automl_kd.service.problems import ProblemError

_FRESH_SECONDS = 60.0
_SECONDS = 120.0


@dataclass
class _Kept:
    made: float = -_FRESH_SECONDS
    found: dict[str, Any] = field(default_factory=dict)


_kept: WeakKeyDictionary[Service, _Kept] = WeakKeyDictionary()


async def choices(service: Service) -> dict[str, Any]:
    """What forms offer, at most a minute old: reading all devices takes a moment."""
    kept = _kept.setdefault(service, _Kept())
    if not kept.found or time.monotonic() - kept.made > _FRESH_SECONDS:
        kept.found = await service.quick.call(wording.form_choices, seconds=_SECONDS)
        kept.made = time.monotonic()
    return kept.found


async def warmed(service: Service) -> None:
    """Have the helpers load what pages need, so that nobody waits for that at the first page."""
    with suppress(UserError, ProblemError):
        await choices(service)
