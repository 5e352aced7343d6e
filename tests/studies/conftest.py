import optuna
import pytest

from automl_kd.hardware import load_profile
from automl_kd.recipes import Space
from automl_kd.storage import Database
from automl_kd.studies.admission import Admission
from automl_kd.studies.objectives import StudyObjectives, parse_objectives
from automl_kd.studies.pricing import Limits, Pricing
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.state import ACCURACY
from automl_kd.studies.trials import TrialStore
from automl_kd.tasks import open_task

NAME = "cam"
RUNGS = (3, 9)
OBJECTIVES = StudyObjectives(ACCURACY, parse_objectives((), "jetson-nano"))


@pytest.fixture(scope="session")
def pricing():
    return Pricing(open_task("digits"), load_profile("jetson-nano"))


@pytest.fixture(scope="session")
def space():
    """Twelve architectures, any learning rate."""
    return Space(
        {
            "search_epochs": 9,
            "student": {
                "family": "resnet",
                "depth": {"choice": [8, 14, 20]},
                "width": {"choice": [0.25, 0.5, 0.75, 1.0]},
                "stem": {"stride": 2},
            },
            "train": {"epochs": 9, "optimizer": {"name": "sgd", "lr": {"float": [0.01, 0.5], "log": True}}},
        }
    )


@pytest.fixture
def database(tmp_path):
    return Database(str(tmp_path / "automl-kd.db"))


@pytest.fixture
def open_store(database):
    """The store of the study, from what is stored alone, as a driver that starts (again) sees it."""

    def open_store():
        return TrialStore(database.optuna(), NAME, RUNGS, OBJECTIVES)

    return open_store


@pytest.fixture
def propose_for(space, pricing):
    """A proposer of candidates within limits."""

    def propose_for(trials, limits=None, affordable=lambda recipe, price: True, seed=0):
        sampler, fixed = optuna.samplers.RandomSampler(seed=seed), {"task": "digits", "seed": 0}
        admission = Admission(space, pricing, limits or Limits(), affordable)
        return Proposer(trials, sampler, admission, fixed, lambda recipe: recipe)

    return propose_for
