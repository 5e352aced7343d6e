"""What is compared on students with their distillation, and where."""

from __future__ import annotations

from benchmarks.search.samplers import OURS

TASK = "digits"
HW = "raspberry-pi-4"  # latencies of tiny_cnn differ fivefold there
_PLAIN = ("task={weight: 1.0}", "kd={weight: 1.0, temperature: 4.0}", "hint=null", "review_hcl=null", "dist=null")
ARMS: dict[str, tuple[str, tuple[str, ...]]] = {
    OURS: ("known-cost", ()),
    "TPE, multivariate": ("tpe", ()),
    "NSGA-II": ("nsga2", ()),
    "random, plain KD": ("random", tuple(f"distill.losses.{pin}" for pin in _PLAIN)),
}
"""Sampler and pins by name."""
