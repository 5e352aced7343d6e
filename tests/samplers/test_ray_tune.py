"""A real ``tune.Tuner`` over a space of recipes."""

import optuna
import pytest
import ray
from ray import tune

from automl_kd.core import UserError
from automl_kd.recipes import Recipe, load_space
from automl_kd.samplers import RayTuneSearcher

_METRICS = {"accuracy": "max", "latency_ms": "min"}


@pytest.fixture(scope="module")
def cluster():
    ray.init(address="local", num_cpus=2, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def space():
    return load_space("tiny_cnn")


def tuned(searcher, folder, samples, **config):
    def trainable(config):  # a function of a function: workers cannot import this module
        for epoch in (1, 2):
            if config["recipe"]["student"]["family"] == "resnet" and epoch == 2:
                raise RuntimeError("a fault of this trial")
            tune.report({"accuracy": epoch / 10, "latency_ms": float(len(str(config["recipe"]["student"])))})

    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher, num_samples=samples, max_concurrent_trials=2, reuse_actors=True
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0, **config),
    ).fit()


@pytest.mark.long
def test_a_tuner_s_trials_are_recipes_of_the_space_told_with_their_values_or_as_failed(cluster, space, tmp_path):
    searcher = RayTuneSearcher(space, _METRICS, optuna.samplers.RandomSampler(seed=0))
    results = tuned(searcher, tmp_path, 4)

    trials = searcher.study.get_trials()
    assert [trial.state.name for trial in trials] == [
        "FAIL" if space.from_params(trial.params).student.family == "resnet" else "COMPLETE" for trial in trials
    ]
    assert 0 < len(results.errors) < len(trials) == 4
    told = sorted(tuple(trial.values) for trial in trials if trial.values)
    assert told == sorted((each.metrics["accuracy"], each.metrics["latency_ms"]) for each in results if not each.error)
    assert all(accuracy == 0.2 for accuracy, _ in told), "the last report counts"
    for each in results:
        assert space.from_params(each.config["params"]) == Recipe.model_validate(each.config["recipe"])


@pytest.mark.long
def test_a_trial_that_was_stopped_early_has_no_place_in_the_front(cluster, space, tmp_path):
    searcher = RayTuneSearcher(space, _METRICS, optuna.samplers.RandomSampler(seed=0), iterations=2)
    tuned(searcher, tmp_path, 2, stop={"training_iteration": 1})
    assert [trial.state.name for trial in searcher.study.get_trials()] == ["PRUNED", "PRUNED"]
    assert searcher.study.best_trials == []


def test_a_searcher_goes_on_from_its_file_as_if_it_had_not_stopped(space, tmp_path):
    def searcher():
        return RayTuneSearcher(space, _METRICS, optuna.samplers.RandomSampler(seed=3))

    straight, stopped, resumed = searcher(), searcher(), searcher()
    for each in (straight, stopped):
        each.suggest("a")
        each.on_trial_complete("a", {"accuracy": 0.5, "latency_ms": 2.0})
        each.suggest("b")
    stopped.save(str(tmp_path / "searcher.pkl"))
    resumed.restore(str(tmp_path / "searcher.pkl"))

    for each in (straight, resumed):
        each.on_trial_complete("b", {"accuracy": 0.6, "latency_ms": float("nan")})
    assert resumed.suggest("c") == straight.suggest("c")
    assert [trial.state.name for trial in resumed.study.get_trials()] == [
        trial.state.name for trial in straight.study.get_trials()
    ]


def test_a_metric_without_a_direction_is_told(space):
    with pytest.raises(UserError, match="each min or max"):
        RayTuneSearcher(space, {"accuracy": "most"})
