"""One contender in a process of its own, one torch thread: a trial a line on standard input, a result a line back.

python -m benchmarks.distillation.contenders NAME FOLDER IMAGES EPOCHS AUGMENT
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.distillation.speed_trials import Trial

CONTENDERS = {"ours": "Ours", "torchdistill": "Torchdistill", "plain": "Plain"}


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer
    name, folder, images, epochs, augment = sys.argv[1:]
    module = importlib.import_module(f"benchmarks.distillation.contender_{name}")
    contender = getattr(module, CONTENDERS[name])(Path(folder), int(images), int(epochs), augment == "True")
    for line in sys.stdin:
        spent, accuracy = contender.train(Trial(**json.loads(line)))
        print(json.dumps({**asdict(spent), "accuracy": accuracy}), file=answers, flush=True)


if __name__ == "__main__":
    main()
