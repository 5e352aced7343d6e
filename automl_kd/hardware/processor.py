"""The processor of this machine."""

from __future__ import annotations

import platform
from pathlib import Path

_INFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def cpu_name() -> str:
    """Model name of the processor."""
    return _info("model name", "Model") or platform.processor() or platform.machine()


def vector_lanes() -> int | None:
    """Floats in a vector register of an x86 processor, 8 or 16; None of others and where nothing tells."""
    flags = _info("flags").split()
    return 16 if "avx512f" in flags else 8 if "avx2" in flags else None


def core_cache_mb() -> float | None:
    """10⁶ bytes of the cache that a core has to itself; None where nothing tells."""
    return _cache_mb("index2")


def shared_cache_mb() -> float | None:
    """10⁶ bytes of the last cache before the memory, which cores share; None where nothing tells."""
    return _cache_mb("index3")


def _cache_mb(level: str) -> float | None:
    path = _CACHES / level / "size"
    text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    number = text.rstrip("KM")
    return int(number) * (1.049 if text.endswith("M") else 1.024e-3) if number.isdigit() else None


def _info(*fields: str) -> str:
    """The first value of one of some fields; empty where there is none."""
    if _INFO.is_file():
        for line in _INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in fields:
                return value.strip()
    return ""
