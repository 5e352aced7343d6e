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

from automl_kd.hardware import load_profile
from automl_kd.recipes import Space, load_space
from automl_kd.samplers import multivariate_tpe
from automl_kd.storage import Database
from automl_kd.studies.proposer import Limits, Pricing, Proposer
from automl_kd.studies.trials import DIRECTIONS, TrialStore
from automl_kd.tasks import open_task


def ours(folder: Path, space: Space, pricing: Pricing, trials: int) -> list[float]:
    """Milliseconds a trial through the project's store: screened, priced, stored, told."""
    store = TrialStore(Database(str(folder / "ours.db")).optuna(), "ours", (12,), multivariate_tpe(0))
    supply = Proposer(store, space, pricing, Limits(), {})
    times = []
    for number in range(trials):
        began = time.perf_counter()
        candidate = supply.next()
        assert candidate is not None
        store.arrive(candidate, 0, (number * 37 % 100) / 100, 1.0, None)
        times.append(1000 * (time.perf_counter() - began))
    return times


def peer(folder: Path, space: Space, pricing: Pricing, trials: int) -> list[float]:
    """Milliseconds a trial through a plain Optuna study with its default storage."""
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'peer.db'}", directions=DIRECTIONS, sampler=multivariate_tpe(0)
    )
    times = []
    for number in range(trials):
        began = time.perf_counter()
        trial = study.ask()
        recipe = space.draw(trial)
        (price,) = pricing.price([recipe])
        trial.set_user_attr("recipe", recipe.document())
        study.tell(trial, [(number * 37 % 100) / 100, price.ms])
        times.append(1000 * (time.perf_counter() - began))
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, profile = load_space("tiny_cnn"), load_profile("jetson-nano")
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
