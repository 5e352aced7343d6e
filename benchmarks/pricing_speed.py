"""How many candidates a profile prices in a second: cold, with every block still to be traced, and warm.

    python -m benchmarks.pricing_speed [--device jetson-nano] [--space mobile_cnn] [--candidates 10000] [--rounds 3]

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
    command = [sys.executable, "-m", "benchmarks.pricing_speed", *sys.argv[1:], _CHILD]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    rounds = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
        for _ in range(arguments.rounds)
    ]
    cold, warm, blocks = (statistics.median(each[name] for each in rounds) for name in ("cold", "warm", "blocks"))
    print(f"| {arguments.candidates} candidates of {arguments.space} on {arguments.device} | median of {len(rounds)} |")
    print("|---|---|")
    print(f"| cold, candidates a second | {arguments.candidates / cold:,.0f} |")
    print(f"| warm, candidates a second | {arguments.candidates / warm:,.0f} |")
    print(f"| distinct blocks | {blocks:,.0f} |")
    print(f"| cold, ms a distinct block | {1000 * (cold - warm) / blocks:.2f} |")


if __name__ == "__main__":
    main()
