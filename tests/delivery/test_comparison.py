"""Trials beside each other: who is ahead, at which price, and an honest word on noise."""

import pytest
import study_summaries as studies

from automl_kd.core import UserError
from automl_kd.studies.comparing import compared


def with_errors(summary, **errors):
    """The same study with standard errors of its trials' scores."""
    known = {int(name.removeprefix("t")): error for name, error in errors.items()}
    complete = tuple(each.model_copy(update={"score_error": known.get(each.trial)}) for each in summary.complete)
    return summary.model_copy(update={"complete": complete})


def test_a_lead_beyond_noise_is_told_with_its_interval():
    found = compared(with_errors(studies.summary(), t5=0.01, t3=0.008), (5, 3))
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.test_score) == (5, 3, None)
    assert pair.score.difference == pytest.approx(-0.07)
    assert (pair.score.low, pair.score.high) == pytest.approx((-0.0951, -0.0449), abs=1e-4)
    assert found.sentences == (
        "Trial 3 is 7.0 points ahead of trial 5 in accuracy on search-validation (95 % interval 4.5 to 9.5).",
        "Trial 5 takes 0.42 of the latency of trial 3 (0.31 ms against 0.742 ms).",
        "Trial 5 was not distilled in full: no test.",
        "They differ in student and kd.",
    )


def test_a_lead_within_noise_is_none():
    found = compared(with_errors(studies.summary(), t9=0.01, t3=0.008), ("best", "knee"))
    assert found.trials == (9, 3)
    assert found.roles == ("best", "knee")
    assert found.pairs[0].score.within_noise
    assert found.sentences[0] == (
        "Trials 9 and 3 are within noise of each other in accuracy on search-validation: they differ by +1.0 points"
        " (95 % interval −1.5 to +3.5)."
    )
    tested = [each for each in found.sentences if "on the test split" in each]
    # Of the 20 examples of this study's test split one is 5 points: whatever the seeds agree on is noise.
    assert len(tested) == 1
    assert "within noise" in tested[0]


def test_where_no_error_is_known_it_says_so():
    found = compared(studies.summary(), (5, 3))
    assert found.pairs[0].score.within_noise is None
    assert found.sentences[0].endswith("on search-validation; how sure that is, is not known.")


def test_where_less_is_better_the_lower_score_is_ahead():
    found = compared(with_errors(studies.by_log_loss(), t5=0.01, t3=0.01), (5, 3))
    assert found.sentences[0].startswith("Trial 3 is 0.268 nats ahead of trial 5 in log loss on search-validation")


def test_prices_whose_intervals_overlap_are_not_certain():
    trials = studies.summary().complete
    near = studies.summary(complete=(trials[0], trials[3].model_copy(update={"latency_low": 0.3})))
    assert "so that is not certain" in compared(near, (5, 7)).sentences[1]
    assert compared(near, (5, 7)).pairs[0].prices[0].overlap is True
    assert compared(studies.summary(), (5, 3)).pairs[0].prices[0].overlap is False


def test_three_trials_are_compared_two_by_two_over_every_price():
    objectives = (studies.ACCURACY, studies.LATENCY, studies.ON_PI, studies.MEMORY)
    found = compared(studies.summary(objectives), (5, 3, 7))
    assert [(pair.first, pair.second) for pair in found.pairs] == [(5, 3), (5, 7), (3, 7)]
    assert all([each.name for each in pair.prices] == [one.name for one in objectives[1:]] for pair in found.pairs)
    assert "Trial 5 takes 0.31 of the memory of trial 7 (27.2 KiB against 87.9 KiB)." in found.sentences
    names = [each.name for each in found.quantities]
    assert len(set(names)) == len(names)
    assert {"score", "macro_f1", "latency_ms@raspberry-pi-4", "size_bytes", "params", "form", "test_score"} <= {*names}
    assert all(len(each.values) == 3 for each in (*found.quantities, *found.differences))
    assert len(found.recipes) == 3


def test_a_problem_without_accuracy_is_compared_by_its_seeds():
    found = compared(studies.regression(), (3, 9))
    by_name = {each.name: each for each in found.quantities}
    assert by_name["test_score"].values[0].low is not None
    assert by_name["test_score"].values[1].value is None
    assert by_name["test_plain_kd"].values[0].value == 1.5


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ((3,), "compare takes two or three trials, not 1"),
        ((3, 5, 7, 9), "compare takes two or three trials, not 4"),
        ((3, "knee"), "trial 3 is there twice"),
        ((3, 11), "trial 11 of study digits-jetson-nano did not reach the top rung; on the front are 3, 5, 9"),
        ((3, "kneee"), "pick 'kneee': write knee, best, fastest"),
    ],
)
def test_what_cannot_be_compared_is_told(wanted, message):
    with pytest.raises(UserError, match=message):
        compared(studies.summary(), wanted)
