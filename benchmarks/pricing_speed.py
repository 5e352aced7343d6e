"""How many candidates a profile prices in a second: cold, with every block still to be traced, and warm.

    python benchmarks/pricing_speed.py [--device jetson-nano] [--space mobile_cnn] [--candidates 10000] [--rounds 3]

Every round is a process of its own with one thread; its processor time is counted, so that other load hardly matters.
Sampling recipes and planning students is done before the clock starts; the warm price is of the same candidates,
planned anew. The table gives medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import torch

from automl_kd import students
from automl_kd.hardware import load_profile
from automl_kd.recipes import load_space

_CHILD = "--child"


def measure(device: str, space_name: str, candidates: int) -> dict[str, float]:
    """Processor seconds of the first and of the second pricing, and how many distinct blocks there were."""
    torch.set_num_threads(1)
    space, rng = load_space(space_name), random.Random(0)
    recipes = [space.sample(rng) for _ in range(candidates)]
    shape, classes = (3, 224, 224), 1000
    plans, again = (
        [students.plan(recipe.student, input_shape=shape, classes=classes) for recipe in recipes] for _ in range(2)
    )
    profile = load_profile(device)
    seconds = []
    for turn in (plans, again):
        began = time.process_time()
        profile.price(turn)
        seconds.append(time.process_time() - began)
    blocks = len({block for plan in plans for block in plan.blocks})
    return {"cold": seconds[0], "warm": seconds[1], "blocks": blocks}


@dataclass(frozen=True)
class Speeds:
    """Candidates a second, cold and warm, and the distinct blocks among them."""

    cold: float
    warm: float
    blocks: int


def speeds(device: str = "jetson-nano", space: str = "mobile_cnn", candidates: int = 10_000, rounds: int = 3) -> Speeds:
    """Medians over processes of their own."""
    command = [sys.executable, __file__, _CHILD, "--device", device, "--space", space, "--candidates", str(candidates)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
        for _ in range(rounds)
    ]
    cold, warm, blocks = (statistics.median(each[name] for each in found) for name in ("cold", "warm", "blocks"))
    return Speeds(candidates / cold, candidates / warm, int(blocks))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="jetson-nano")
    parser.add_argument("--space", default="mobile_cnn")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(_CHILD, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.device, arguments.space, arguments.candidates)))
        return
    found = speeds(arguments.device, arguments.space, arguments.candidates, arguments.rounds)
    per_block = 1000 * arguments.candidates * (1 / found.cold - 1 / found.warm) / found.blocks
    what = f"{arguments.candidates} candidates of {arguments.space} on {arguments.device}"
    print(f"| {what} | median of {arguments.rounds} |")
    print("|---|---|")
    print(f"| cold, candidates a second | {found.cold:,.0f} |")
    print(f"| warm, candidates a second | {found.warm:,.0f} |")
    print(f"| distinct blocks | {found.blocks:,} |")
    print(f"| cold, ms a distinct block | {per_block:.2f} |")


if __name__ == "__main__":
    main()
