"""How often somebody may ask: a bucket of requests for each token, and one of wrong tokens for each address."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

_BURST = 4
"""Seconds' worth of requests that may come at once."""
_WRONG = 20
"""Wrong tokens that an address may send at once."""
_WRONG_SECONDS = 6.0
"""Time after which it may send one more."""
_MOST = 10_000
"""Names that are remembered."""


@dataclass
class _Bucket:
    left: float
    filled: float


class Rates:
    """Counts requests.

    Args:
        rate: Requests a second that one token may make for long.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._asked: OrderedDict[str, _Bucket] = OrderedDict()
        self._wrong: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, token: str) -> int:
        """Count a request; whole seconds to wait before the next where there were too many, else 0."""
        bucket = _filled(self._asked, token, _BURST * self._rate, self._rate)
        if bucket.left < 1:
            return math.ceil((1 - bucket.left) / self._rate)
        bucket.left -= 1
        return 0

    def may_try(self, address: str) -> bool:
        """Count a wrong token; whether its address sent few enough to be told so."""
        bucket = _filled(self._wrong, address, _WRONG, 1 / _WRONG_SECONDS)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True


def _filled(buckets: OrderedDict[str, _Bucket], name: str, full: float, rate: float) -> _Bucket:
    now = time.monotonic()
    bucket = buckets.setdefault(name, _Bucket(full, now))
    bucket.left, bucket.filled = min(full, bucket.left + rate * (now - bucket.filled)), now
    buckets.move_to_end(name)
    if len(buckets) > _MOST:
        buckets.popitem(last=False)
    return bucket
