"""What a trial costs beside its training: ask, draw, price, store and tell, against Optuna's own storage defaults.

    python -m benchmarks.overhead [--trials 60] [--rounds 3]

Both sides draw the same space with the same sampler in the same run, in alternating rounds; the table gives medians.
The peer is Optuna's RDBStorage as it comes (rollback journal, full sync).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import optuna

from automl_kd.execution import Trained
from automl_kd.hardware import load_profile
from automl_kd.recipes import Space, load_space
from automl_kd.samplers import multivariate_tpe
from automl_kd.storage import Database
from automl_kd.studies.admission import Admission
from automl_kd.studies.objectives import StudyObjectives, parse_objectives
from automl_kd.studies.pricing import Limits, Pricing
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.state import ACCURACY
from automl_kd.studies.trials import TrialStore
from automl_kd.tasks import open_task

DEVICE = "jetson-nano"
OBJECTIVES = StudyObjectives(ACCURACY, parse_objectives((), DEVICE))


def ours(folder: Path, space: Space, pricing: Pricing, trials: int) -> list[float]:
    """Milliseconds a trial through the project's store: screened, priced, stored, told."""
    store = TrialStore(Database(str(folder / "ours.db")).optuna(), "ours", (12,), OBJECTIVES)
    admission = Admission(space, pricing, Limits(), lambda recipe, price: True)
    proposer = Proposer(store, multivariate_tpe(0), admission, {}, lambda recipe: recipe)
    times = []
    for number in range(trials):
        began = time.perf_counter()
        candidate = proposer.next()
        assert candidate is not None
        score = (number * 37 % 100) / 100
        store.arrive(candidate, 0, Trained(score, 0.01, {"accuracy": score}, 12, 1.0, None))
        times.append(1000 * (time.perf_counter() - began))
    return times


def peer(folder: Path, space: Space, pricing: Pricing, trials: int) -> list[float]:
    """Milliseconds a trial through a plain Optuna study with its default storage."""
    storage, directions = f"sqlite:///{folder / 'peer.db'}", [each.direction for each in OBJECTIVES.all]
    study = optuna.create_study(storage=storage, directions=directions, sampler=multivariate_tpe(0))
    times = []
    for number in range(trials):
        began = time.perf_counter()
        trial = study.ask()
        recipe = space.draw(trial)
        (price,) = pricing.price([recipe])
        trial.set_user_attr("recipe", recipe.document())
        study.tell(trial, [(number * 37 % 100) / 100, price.here.ms])
        times.append(1000 * (time.perf_counter() - began))
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, profile = load_space("tiny_cnn"), load_profile(DEVICE)
    ratios: list[float] = []
    medians: dict[str, list[float]] = {"automl-kd": [], "Optuna, default SQLite": []}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            pricing = Pricing(open_task("digits"), profile)
            theirs = statistics.median(peer(Path(name), space, pricing, arguments.trials))
            mine = statistics.median(ours(Path(name), space, pricing, arguments.trials))
        medians["automl-kd"].append(mine)
        medians["Optuna, default SQLite"].append(theirs)
        ratios.append(mine / theirs)
    print(
        f"| ask, draw, price, store, tell; {arguments.trials} trials, {arguments.rounds} rounds | median ms a trial |"
    )
    print("|---|---|")
    for name, values in medians.items():
        print(f"| {name} | {statistics.median(values):.1f} |")
    print(f"| ratio, median of paired rounds | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
