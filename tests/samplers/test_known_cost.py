"""The sampler in plain Optuna studies, as a user of Optuna drives it."""

import itertools
import math
import multiprocessing
import pickle
from time import sleep

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.core import UserError
from automl_kd.recipes import Space, load_space
from automl_kd.samplers import KnownCostSampler

OPERATORS = ["none", "skip", "conv1", "conv3"]
WORTH = {"none": 0.0, "skip": 0.3, "conv1": 0.6, "conv3": 1.0}
TIME = {"none": 0.1, "skip": 0.2, "conv1": 1.0, "conv3": 2.5}
EDGES = ["a", "b", "c", "d"]


def latency(params):
    return sum(TIME[params[edge]] for edge in EDGES if edge in params)


def accuracy(params):
    """Diminishing returns, and a disconnected network learns nothing."""
    if params["a"] == params["b"] == "none":
        return 0.01
    return 1 - math.exp(
        -sum(weight * WORTH[params[edge]] for edge, weight in zip(EDGES, (1, 0.8, 0.4, 0.2), strict=True))
    )


def cell(trial):
    return {edge: trial.suggest_categorical(edge, OPERATORS) for edge in EDGES}


def front_area(points):
    """Hypervolume up to accuracy 0 and 12 ms."""
    area, best = 0.0, 0.0
    for time, value in sorted((time, -value) for value, time in points):
        if -value > best and time < 12:
            area += (-value - best) * (12 - time)
            best = -value
    return area


ALL = [dict(zip(EDGES, each, strict=True)) for each in itertools.product(OPERATORS, repeat=4)]
WHOLE = front_area([(accuracy(each), latency(each)) for each in ALL])


def study_with(sampler, directions=("maximize", "minimize"), **more):
    return optuna.create_study(directions=list(directions), sampler=sampler, **more)


def reached(sampler, trials):
    study = study_with(sampler)
    study.optimize(lambda trial: (accuracy(params := cell(trial)), latency(params)), n_trials=trials)
    return front_area([trial.values for trial in study.trials]) / WHOLE


def test_it_finds_the_front_with_fewer_trials_than_optunas_samplers_find_with_many():
    ours = np.mean([reached(KnownCostSampler({1: latency}, seed=seed), 40) for seed in range(3)])
    theirs = np.mean([reached(optuna.samplers.TPESampler(seed=seed, multivariate=True), 60) for seed in range(3)])
    assert ours > theirs
    assert ours > 0.97


def test_equal_seeds_propose_alike_and_other_seeds_otherwise():
    def proposals(seed):
        study = study_with(KnownCostSampler({1: latency}, seed=seed))
        study.optimize(lambda trial: (accuracy(params := cell(trial)), latency(params)), n_trials=25)
        return [trial.params for trial in study.trials]

    assert proposals(1) == proposals(1)
    assert proposals(1) != proposals(2)


def test_every_feasible_candidate_is_tried_once_before_any_is_tried_twice_and_none_that_is_infeasible():
    def cost(params):
        return math.inf if params.get("x") == 3 or params.get("y") == "slow" else float(params["x"])

    study = study_with(KnownCostSampler({1: cost}, seed=0, n_startup_trials=4))
    study.enqueue_trial({"x": 1, "y": "fast"})
    seen = []
    for _ in range(10):
        trial = study.ask()
        seen.append((trial.suggest_int("x", 1, 6), trial.suggest_categorical("y", ["fast", "slow", "other"])))
        study.tell(trial, [seen[-1][0] * 0.1, float(seen[-1][0])])
    assert sorted(seen) == [(x, y) for x in (1, 2, 4, 5, 6) for y in ("fast", "other")]


def test_trials_under_way_are_not_proposed_again_and_any_may_end_first():
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=6))
    study.optimize(lambda trial: (accuracy(params := cell(trial)), latency(params)), n_trials=8)
    running = []
    for _ in range(8):
        trial = study.ask()
        running.append((trial, cell(trial)))
    assert len({tuple(params.items()) for _, params in running}) == 8
    for trial, params in reversed(running):
        study.tell(trial, [accuracy(params), latency(params)])
    assert cell(study.ask()) not in [params for _, params in running]


def test_failed_and_pruned_trials_are_no_results_and_are_not_proposed_again():
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=5))
    ended = []
    for number in range(30):
        trial = study.ask()
        params = cell(trial)
        assert params not in ended
        ended.append(params)
        if number % 3 == 0:
            study.tell(trial, state=TrialState.FAIL)
        elif number % 3 == 1:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, [accuracy(params), latency(params)])
    assert front_area([trial.values for trial in study.get_trials(states=[TrialState.COMPLETE])]) > 0.7 * WHOLE


def conditional(trial):
    params = {"family": trial.suggest_categorical("family", ["deep", "wide"])}
    if params["family"] == "deep":
        params["depth"] = trial.suggest_int("depth", 1, 8)
    else:
        params["width"] = trial.suggest_float("width", 0.1, 10.0, log=True)
    params["rate"] = trial.suggest_float("rate", 0.01, 1.0, log=True)
    return params


def size(params):
    return params["depth"] * 2.0 if params.get("family") == "deep" else params.get("width", 1.0) * 3.0


def score(params):
    return math.tanh(size(params) / 8) - 0.2 * abs(math.log10(params["rate"]) + 1)


def test_conditional_parameters_are_proposed_with_their_branch_complete():
    study = study_with(KnownCostSampler({1: size}, seed=3, n_startup_trials=8))
    guessed = 0
    for number in range(40):
        trial = study.ask()
        proposal = dict(trial.relative_params)
        params = conditional(trial)
        guessed += number > 20 and proposal == params
        study.tell(trial, [score(params), size(params)])
    assert guessed >= 17  # what was modelled is what was run
    best = max(study.best_trials, key=lambda trial: trial.values[0])
    assert abs(math.log10(best.params["rate"]) + 1) < 0.3


@pytest.mark.parametrize(
    ("directions", "signs"),
    [(("maximize", "minimize"), (1, 1)), (("minimize", "maximize"), (-1, -1)), (("maximize", "maximize"), (1, -1))],
)
def test_directions_are_the_studys(directions, signs):
    first, second = signs
    study = study_with(
        KnownCostSampler({1: lambda params: second * latency(params)}, seed=0, n_startup_trials=8), directions
    )
    study.optimize(lambda trial: (first * accuracy(params := cell(trial)), second * latency(params)), n_trials=35)
    assert front_area([(first * a, second * b) for a, b in (trial.values for trial in study.trials)]) > 0.93 * WHOLE


def memory(params):
    return sum(params[edge].startswith("conv") for edge in EDGES)


def test_three_objectives_with_two_known():
    study = study_with(
        KnownCostSampler({1: latency, 2: memory}, seed=0, n_startup_trials=10), ("maximize", "minimize", "minimize")
    )
    study.optimize(lambda trial: (accuracy(p := cell(trial)), latency(p), memory(p)), n_trials=45)
    best_by_memory = {count: max(accuracy(p) for p in ALL if memory(p) == count) for count in range(4)}
    found = {count: max((t.values[0] for t in study.trials if t.values[2] == count), default=0.0) for count in range(5)}
    assert np.mean([found[count] / best_by_memory[count] for count in range(4)]) > 0.9


def test_two_modelled_objectives_and_one_known():
    study = study_with(
        KnownCostSampler({2: latency}, seed=0, n_startup_trials=10), ("maximize", "maximize", "minimize")
    )
    study.optimize(
        lambda trial: (accuracy(p := cell(trial)), -abs(memory(p) - 2) + 0.1 * accuracy(p), latency(p)), n_trials=35
    )
    values = np.array([trial.values for trial in study.trials])
    assert ((values[:, 0] > 0.75) & (values[:, 1] > 0)).any()


def test_constraints_are_learned_and_kept():
    def run(trial):
        params = cell(trial)
        trial.set_constraint("convolutions", float(memory(params) - 2))
        return accuracy(params), latency(params)

    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=10))
    study.optimize(run, n_trials=40)
    late = study.trials[20:]
    assert np.mean([memory(trial.params) <= 2 for trial in late]) > 0.7


def test_partial_results_of_trials_that_wait_or_were_stopped_tell_of_the_rest():
    def partly(waits):
        study = study_with(KnownCostSampler({1: latency}, seed=1, n_startup_trials=10))
        for number in range(40):
            trial = study.ask()
            params = cell(trial)
            trial.set_user_attr("score@3", 0.5 * accuracy(params))
            if number % 4 == 0:
                study.tell(trial, [accuracy(params), latency(params)])
            elif not waits:
                study.tell(trial, state=TrialState.PRUNED)
        return study

    for waits in (False, True):
        study = partly(waits)
        waiting = [each.number for each in study.trials if each.state == TrialState.RUNNING]
        assert len(waiting) == (30 if waits else 0)
        if waits:
            gains = study.sampler.expected_improvements(study, waiting)
            done = [trial.values for trial in study.get_trials(states=[TrialState.COMPLETE])]
            true = {
                n: front_area([*done, (accuracy(p := study.trials[n].params), latency(p))]) - front_area(done)
                for n in waiting
            }
            best = max(gains, key=gains.get)
            assert true[best] >= np.quantile(list(true.values()), 0.8)


def test_a_recipe_space_is_where_candidates_come_from():
    space = Space(
        {
            "search_epochs": 9,
            "student": {"family": "resnet", "depth": {"choice": [8, 14, 20]}, "width": {"choice": [0.25, 0.5, 1.0]}},
            "train": {"epochs": 9, "optimizer": {"name": "sgd", "lr": {"float": [0.01, 0.5], "log": True}}},
            "starts": [{"train": {"optimizer": {"lr": 0.1}}}],
        }
    )

    def cost(params):
        return params["student.depth"] * params["student.width"] ** 2

    study = study_with(KnownCostSampler({1: cost}, space=space, starts=space.starts, seed=0, n_startup_trials=6))
    for _ in range(25):
        trial = study.ask()
        recipe = space.draw(trial)
        assert trial.relative_params == trial.params  # from the first trial on
        study.tell(trial, [recipe.student.width - abs(math.log10(recipe.train.optimizer.lr) + 1), cost(trial.params)])
    assert study.trials[0].params["train.optimizer.lr"] == 0.1
    assert max(trial.values[0] for trial in study.trials) > 0.85


def test_a_study_goes_on_from_its_storage(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    seen = set()
    for part in range(3):
        study = study_with(
            KnownCostSampler({1: latency}, seed=part, n_startup_trials=8),
            storage=storage,
            study_name="cells",
            load_if_exists=True,
        )
        for _ in range(12):
            trial = study.ask()
            params = cell(trial)
            assert tuple(params.values()) not in seen
            seen.add(tuple(params.values()))
            study.tell(trial, [accuracy(params), latency(params)])
    assert front_area([trial.values for trial in study.trials]) > 0.95 * WHOLE


def test_scores_of_untrained_networks_help_as_features():
    def found(features):
        areas = []
        for seed in range(3):
            sampler = KnownCostSampler({1: latency}, seed=seed, n_startup_trials=6, features=features)
            study = study_with(sampler)
            study.optimize(lambda trial: (accuracy(p := cell(trial)), latency(p)), n_trials=14)
            areas.append(front_area([trial.values for trial in study.trials]) / WHOLE)
        return np.mean(areas)

    def score(many):
        # As of networks: of another form than the accuracy, and infinite where no weight reaches the output.
        return np.array([[math.exp(accuracy(p)) if accuracy(p) > 0.3 else -math.inf] for p in many])

    assert found(score) > found(None)


def test_a_small_space_is_tried_to_its_end_with_starts_and_features():
    space = load_space(
        "tiny_resnet",
        [
            "student={family: resnet, depth: 8, width: {choice: [0.25, 0.5, 1.0]}}",
            "distill.losses={one_of: [{task: {weight: 1.0}}, {task: {weight: 1.0}, kd: {weight: 1.0}}]}",
            "train={epochs: 3, batch_size: {choice: [32, 64, 128]}}",
        ],
    )
    costs = {1: lambda many: [params["student.width"] for params in many]}
    sampler = KnownCostSampler(
        costs,
        vectorized=True,
        space=space,
        seed=0,
        n_startup_trials=5,
        starts=[{"distill.losses": 1}, {"student.width": 1.0}],
        features=lambda many: np.array([[params["student.width"]] for params in many]),
    )
    study = study_with(sampler)
    for number in range(18):
        trial = study.ask()
        space.draw(trial)
        study.tell(trial, [0.1 * number, trial.params["student.width"]])
    assert len({frozenset(trial.params.items()) for trial in study.trials}) == 18 == space.size()
    assert (study.trials[0].params["distill.losses"], study.trials[1].params["student.width"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (lambda many: [[math.nan] for _ in many], r"features: gave no number for \{'a': "),
        (
            lambda many: [params["missing"] for params in many],
            r"features: raised KeyError: 'missing' for \d+ sets such as",
        ),
        (lambda many: [1.0 for _ in many], r"features: gave shape \(\d+,\) for \d+ sets of parameters, not \(n, k\)"),
        (lambda many: [[1.0]], r"features: gave shape \(1, 1\) for \d+ sets of parameters"),
    ],
)
def test_features_that_are_no_numbers_are_told_with_the_parameters(features, message):
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=1, features=features))
    first = study.ask()
    study.tell(first, [accuracy(cell(first)), 1.0])
    with pytest.raises(UserError, match=message):
        cell(study.ask())


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (lambda params: math.nan, r"costs\[1\]: gave nan for \{'a': .*; a cost is a number, inf where infeasible"),
        (lambda params: params["missing"], r"costs\[1\]: raised KeyError: 'missing' for \{'a': "),
        (lambda params: "dear", r"costs\[1\]: gave 'dear' for \{'a': "),
    ],
)
def test_a_cost_function_that_gives_no_number_is_named_with_the_parameters(cost, message):
    study = study_with(KnownCostSampler({1: cost}, seed=0))
    first = study.ask()
    study.tell(first, [accuracy(cell(first)), 1.0])
    with pytest.raises(UserError, match=message):
        cell(study.ask())


def test_costs_of_an_objective_that_is_not_there_are_refused():
    with pytest.raises(UserError, match=r"costs\[2\]: study .* has 2 objectives, numbered from 0 to 1"):
        cell(study_with(KnownCostSampler({2: latency}, seed=0)).ask())


def test_a_vectorized_cost_function_gives_one_value_each():
    study = study_with(KnownCostSampler({1: lambda many: [1.0, 2.0]}, vectorized=True, seed=0))
    first = study.ask()
    study.tell(first, [accuracy(cell(first)), 1.0])
    with pytest.raises(UserError, match=r"costs\[1\]: gave 2 values for \d+ sets of parameters"):
        cell(study.ask())


def test_one_sampler_serves_one_study():
    sampler = KnownCostSampler({1: latency}, seed=0)
    study_with(sampler, study_name="one").ask().suggest_int("x", 1, 2)
    with pytest.raises(UserError, match="has learned from study one and cannot serve two"):
        study_with(sampler, study_name="two").ask().suggest_int("x", 1, 2)


def test_threads_share_a_sampler_and_try_nothing_twice():
    study = study_with(KnownCostSampler({1: latency}, seed=0))

    def run(trial):
        params = cell(trial)
        sleep(0.002)
        return accuracy(params), latency(params)

    study.optimize(run, n_trials=48, n_jobs=4)
    tried = [tuple(trial.params[edge] for edge in EDGES) for trial in study.trials]
    assert len(tried) - len(set(tried)) <= 3  # those that were drawn before anything was known
    assert front_area([trial.values for trial in study.trials]) > 0.9 * WHOLE


def test_what_another_thread_was_told_but_has_not_suggested_yet_counts_as_tried():
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=3))
    study.optimize(lambda trial: (accuracy(params := cell(trial)), latency(params)), n_trials=6)
    told = [study.ask() for _ in range(6)]
    proposals = [tuple(trial.relative_params.values()) for trial in told]
    assert len(set(proposals)) == 6
    for trial in told:
        trial.suggest_categorical("a", OPERATORS)  # and so far nothing else
    assert tuple(study.ask().relative_params.values()) not in proposals


def go_on(arguments):
    study, trials = arguments
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study.optimize(lambda trial: (accuracy(params := cell(trial)), latency(params)), n_trials=trials)
    return [trial.number for trial in study.trials]


def test_copies_in_other_processes_share_a_storage_and_draw_otherwise(tmp_path):
    study = study_with(
        KnownCostSampler({1: latency}, n_startup_trials=20),
        storage=f"sqlite:///{tmp_path}/study.db",
        study_name="cells",
    )
    go_on((study, 9))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(go_on, [(study, 8)] * 2)
    tried = [tuple(trial.params.items()) for trial in study.trials]
    assert len(tried) == 25
    assert len(set(tried)) > 9 + 8  # what copies that draw alike would try


def test_a_seeded_copy_goes_on_as_the_original_would():
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=4))
    go_on((study, 9))
    copy = pickle.loads(pickle.dumps(study))
    for each in (study, copy):
        go_on((each, 3))
    assert [trial.params for trial in copy.trials] == [trial.params for trial in study.trials]


WIDTHS = [[8, 16], [16, 32], [32, 64], [64, 64]]
SETTINGS = [{"lr": 0.1}, {"lr": 0.01, "steps": [3, 6]}, math.nan, None]


def test_choices_may_be_any_object_and_reach_functions_as_they_are(tmp_path):
    def total(params):
        assert params["widths"] in WIDTHS
        return float(sum(params["widths"]))

    for part in range(2):  # the second time they are read from a database
        study = study_with(
            KnownCostSampler({1: total}, seed=part, features=lambda many: [[total(each)] for each in many]),
            storage=f"sqlite:///{tmp_path}/study.db",
            study_name="widths",
            load_if_exists=True,
        )
        for _ in range(7):
            trial = study.ask()
            widths = trial.suggest_categorical("widths", WIDTHS)
            good = trial.suggest_categorical("settings", SETTINGS) == SETTINGS[1]
            study.tell(trial, [good + 1 - 1 / sum(widths), float(sum(widths))])
    tried = {repr(trial.params) for trial in study.trials}
    assert len(tried) == 14  # of 16


def test_infinite_values_are_the_worst_or_best_of_the_others():
    def run(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        return (math.inf if x > 0.9 else 1e308 if x > 0.8 else (x - 0.4) ** 2 + (y - 0.7) ** 2), 1.0 + x

    study = study_with(KnownCostSampler({1: lambda p: 1.0 + p["x"]}, seed=0), ("minimize", "minimize"))
    study.optimize(run, n_trials=30)
    assert min(trial.values[0] for trial in study.trials) < 0.02


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_one_objective_is_searched_too(direction):
    sign = 1 if direction == "minimize" else -1

    def run(trial):
        x, y = trial.suggest_float("x", -3, 3), trial.suggest_float("y", 0.01, 10, log=True)
        return sign * ((x - 1) ** 2 + math.log10(y) ** 2 - 5)

    study = study_with(KnownCostSampler({}, seed=0), (direction,))
    study.optimize(run, n_trials=30)
    assert sign * study.best_value < -4.95


def test_many_objectives_are_searched_by_what_they_add():
    def values(params):
        x, y = params["x"], params["y"]
        return [(x - 0.1) ** 2 + (y - 0.2) ** 2, (x - 0.3) ** 2 + (y - 0.1) ** 2, abs(x - 0.2), y, x]

    def run(trial):
        return values({name: trial.suggest_float(name, 0, 1) for name in "xy"})

    known = {position: lambda params, at=position: values(params)[at] for position in (2, 3, 4)}
    corners = np.random.default_rng(0).uniform(0, 0.3, (4000, 5))

    def covered(sampler):
        study = study_with(sampler, ["minimize"] * 5)
        study.optimize(run, n_trials=16)
        rows = np.array([trial.values for trial in study.trials])
        return (rows[None] <= corners[:, None]).all(axis=2).any(axis=1).mean()

    drawn = covered(optuna.samplers.RandomSampler(seed=0))
    assert covered(KnownCostSampler(known, seed=0, n_startup_trials=6)) > 1.2 * drawn


def test_a_range_that_hangs_on_another_value_is_kept_to():
    def run(trial):
        layers = trial.suggest_int("layers", 1, 6)
        taps = trial.suggest_int("taps", 1, layers)
        return 0.3 * taps - 0.1 * layers + trial.suggest_float("x", 0, 0.1), float(layers)

    study = study_with(KnownCostSampler({1: lambda params: float(params["layers"])}, seed=0, n_startup_trials=5))
    kept = 0
    for number in range(30):
        trial = study.ask()
        proposal = dict(trial.relative_params)
        study.tell(trial, run(trial))
        kept += number >= 15 and trial.params == proposal
    assert kept >= 12


def test_after_a_range_was_moved_candidates_come_from_the_new_one():
    study = study_with(KnownCostSampler({}, seed=0, n_startup_trials=5), ("minimize",))
    study.optimize(lambda trial: abs(trial.suggest_float("x", 0, 10) - 30) + trial.suggest_int("y", 0, 9), n_trials=8)
    proposals = []
    for _ in range(14):
        trial = study.ask()
        proposals.append(trial.relative_params.get("x", 0.0))
        study.tell(trial, abs(trial.suggest_float("x", 20, 40) - 30) + trial.suggest_int("y", 0, 9))
    assert all(20 <= x <= 40 for x in proposals[6:])
    assert study.best_value < 3


def test_trials_of_others_that_have_no_cost_are_left_to_them():
    other = optuna.distributions.FloatDistribution(0.0, 1.0)
    study = study_with(KnownCostSampler({1: lambda params: float(memory(params))}, seed=0, n_startup_trials=2))
    for x in (0.1, 0.9):
        study.add_trial(optuna.create_trial(params={"lr": x}, distributions={"lr": other}, values=[x, 3.0]))
        study.add_trial(optuna.create_trial(params={"a": x}, distributions={"a": other}, values=[x, 3.0]))
    study.optimize(lambda trial: (accuracy(params := cell(trial)), memory(params)), n_trials=12)
    assert len({tuple(trial.params.items()) for trial in study.trials[4:]}) == 12


def test_what_a_wrapped_sampler_is_not_asked_for_it_does_not_decide():
    study = study_with(KnownCostSampler({1: latency}, seed=0, n_startup_trials=3))
    go_on((study, 8))
    study.sampler = optuna.samplers.PartialFixedSampler({"a": "conv1"}, study.sampler)
    go_on((study, 12))
    assert {trial.params["a"] for trial in study.trials[8:]} == {"conv1"}
    assert len({tuple(trial.params.items()) for trial in study.trials[8:]}) == 12


def test_the_brackets_of_hyperband_share_what_is_learned():
    study = optuna.create_study(
        sampler=KnownCostSampler({}, seed=0, n_startup_trials=4), pruner=optuna.pruners.HyperbandPruner(1, 9)
    )

    def run(trial):
        x = trial.suggest_float("x", -1, 1)
        for step in range(9):
            trial.report(x * x + 1 / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x * x

    study.optimize(run, n_trials=30)
    assert study.best_value < 0.01
