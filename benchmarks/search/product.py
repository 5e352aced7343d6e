"""Searches through the product itself, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from automl_kd.core import cache_dir
from automl_kd.distillation import find_teacher
from automl_kd.tasks import open_task
from benchmarks.search.arms import TASK

_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("trials", "front", "picks", "seconds", "screened")


def teach() -> None:
    """Train the teacher once, so that no run pays for it."""
    find_teacher(open_task(TASK), None, device="cpu")


def search(folder: Path, *arguments: str) -> dict[str, Any]:
    """What ``automl-kd search --json`` prints of trials, front, picks and seconds; of one that found nothing, nothing.

    Args:
        folder: For storage and cache; its cache holds the teacher and nothing that another run left.
        arguments: Beside those of the task.
    """
    cache = folder / "cache"
    if not cache.exists():
        shutil.copytree(cache_dir() / "teachers", cache / "teachers")
    command = [sys.executable, str(_ROOT / "cli.py"), "search", "--task", TASK, "--device", "cpu", "--json", *arguments]
    environment = os.environ | {"AUTOML_KD_CACHE": str(cache), "PYTHONPATH": str(_ROOT)}
    ended = subprocess.run(command, check=False, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if ended.returncode:  # it says why on standard error
        return {"trials": {"complete": 0, "pruned": 0}, "front": [], "picks": [], "seconds": {}, "screened": 0}
    document = json.loads(ended.stdout)
    kept = {key: document[key] for key in _KEPT}
    for entries in (kept["front"], kept["picks"]):
        entries[:] = [{key: value for key, value in entry.items() if key != "recipe"} for entry in entries]
    return kept
