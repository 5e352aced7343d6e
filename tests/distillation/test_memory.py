"""A set that is larger than the memory that a run may take is learned from all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("streamed.py")
BLOCK = 100
LITTLE = 24.0  # megabytes by which allocators may differ from epoch to epoch


def write_images(path, count, size):
    """Images of noise, without any of them being decoded."""
    block = np.random.default_rng(0).integers(0, 256, (BLOCK, 3, size, size), dtype=np.uint8)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 3, size, size))
    for start in range(0, count, BLOCK):
        images[start : start + BLOCK] = block[: count - start]


def trained(path, megabytes, workers, seconds):
    """What each of so many trainings at a time printed."""
    command = [sys.executable, str(SCRIPT), str(path), str(megabytes)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    try:
        return [json.loads(each.communicate(timeout=seconds)[0]) for each in started]
    finally:
        for each in started:
            each.kill()


def assert_streamed(ended):
    assert not ended["held"], "the whole set fits into what the process may take: the limit limits nothing"
    assert len(ended["anonymous"]) == 3
    assert max(ended["anonymous"]) - min(ended["anonymous"]) < LITTLE


def test_memory_stays_flat_while_a_set_is_streamed_that_cannot_be_held(tmp_path):
    write_images(tmp_path / "images.npy", 800, 288)  # 199 MB
    (ended,) = trained(tmp_path / "images.npy", 150, workers=1, seconds=240)
    assert_streamed(ended)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_workers_stream_six_gigabytes_through_two(tmp_path):
    write_images(tmp_path / "images.npy", 40_000, 224)
    for ended in trained(tmp_path / "images.npy", 800, workers=2, seconds=3000):
        assert_streamed(ended)
        assert max(ended["anonymous"]) < 1000
