"""A rule means what Python would read in it, is never run, and every other text is told where it is wrong."""

import math

import pytest
from finished import METRICS, NUMBERS, OBJECTIVES, finished
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.core import UserError
from automl_kd.results import Rule


def read(text):
    return Rule.parse(text, OBJECTIVES, METRICS)


def comparisons():
    return st.sampled_from(sorted(NUMBERS)).flatmap(
        lambda name: st.tuples(
            st.just(name), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS[name], st.sampled_from(" \n")
        ).map(lambda parts: f"{parts[0]}{parts[3]}{parts[1]}{parts[3]}{parts[2]!r}")
    )


def rules(leaves):
    def joined(inner):
        return st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
            inner.map(lambda text: f"not ({text})"),
            inner.map(lambda text: f"({text})"),
        )

    return st.recursive(leaves, joined, max_leaves=6)


TRIALS = st.builds(
    finished,
    trial=NUMBERS["trial"],
    score=NUMBERS["score"],
    latency_ms=st.floats(0.001, 10),
    params=NUMBERS["params"],
)


@settings(deadline=None)
@given(text=rules(comparisons()), trial=TRIALS)
def test_a_rule_holds_where_python_says_so(text, trial):
    values = {
        "score": trial.score,
        "accuracy": trial.metrics["accuracy"],
        "log_loss": trial.metrics["log_loss"],
        "latency_ms": trial.latency_ms,
        "on_pi": trial.objectives["latency_ms@raspberry-pi-4"],
        "memory_bytes": trial.memory_bytes,
        "params": trial.params,
        "trial": trial.trial,
    }
    python = text.replace("latency_ms@raspberry-pi-4", "on_pi").replace("\n", " ")
    assert read(text).holds(trial) == eval(python, {}, values)


@settings(deadline=None)
@given(text=rules(comparisons()), trial=TRIALS)
def test_a_rule_written_out_is_the_same_rule(text, trial):
    rule = read(text)
    assert read(str(rule)) == rule
    assert "not" not in str(rule)
    assert (rule.distance(trial) == 0 and not rule.missed(trial)) or not rule.holds(trial)
    assert bool(rule.missed(trial)) == (not rule.holds(trial))


WORDS = [
    "score",
    "latency_ms",
    "form",
    "and",
    "or",
    "not",
    "(",
    ")",
    ">=",
    "<",
    "==",
    "=",
    "0.5",
    "3ms",
    "95 %",
    "'",
    "é",
]


def said_of(text):
    """What is wrong with a text, or the rule that it is; any other error goes on."""
    try:
        return "", read(text)
    except UserError as error:
        return str(error), None


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join)))
def test_any_text_is_a_rule_or_told_in_one_line(text):
    told, rule = said_of(text)
    assert (rule is None and told.startswith("rule") and "\n" not in told) or read(str(rule)) == rule


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("score >= 95%", "score >= 0.95"),
        ("score>=95 %", "score >= 0.95"),
        ("latency_ms <= 3ms and latency_ms > 800us", "latency_ms <= 3 and latency_ms > 0.8"),
        ("latency_ms@raspberry-pi-4 <= 0.5 s", "latency_ms@raspberry-pi-4 <= 500"),
        ("params < 100k or params < 1.5M", "params < 100000 or params < 1500000"),
        ("memory_bytes < 512KB", "memory_bytes < 512000"),
        ("size_bytes < 4MiB", "size_bytes < 4194304"),
        ("energy_mj < 2J", "energy_mj < 2000"),
        ("log_loss < 0.3 nats", "log_loss < 0.3"),
        ("not (score < 90% or params > 1k)", "score >= 0.9 and params <= 1000"),
        ("form == int8 and family != 'resnet'", 'form == "int8" and family != "resnet"'),
        ("trial == 3 or trial == 4 and score > 0", "trial == 3 or trial == 4 and score > 0"),
    ],
)
def test_units_and_words(written, meant):
    assert str(read(written)) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rule, at its end: write a name first, such as score; there are score, latency_ms,"),
        ("score", "rule, at its end: write a comparison behind score: >=, <="),
        ("score = 1", "rule, at character 7, '=': write a comparison behind score"),
        ("score >=", "rule, at its end: write a number, such as score >= 0.95"),
        ("score >= 95", "at character 10, '95': score is a share of at most 1; write 0.95, or 95% for per cent"),
        ("score >= 150%", "score is a share of at most 1"),
        ("latency >= 3", "rule, at character 1, 'latency': unknown name; did you mean latency_ms"),
        ("score > 0 an params < 3", "rule, at character 11, 'an': neither a unit of score (%) nor and, or"),
        ("latency_ms <= 3 parsecs", "'parsecs': neither a unit of latency_ms (us, µs, ms, s) nor and, or"),
        ("log_loss < 3ms", "'ms': neither a unit of log_loss (nats) nor and, or"),
        ("trial < 3ms", "'ms': neither a unit of trial (k, m, g) nor and, or"),
        ("score > 0 and", "rule, at its end: write a name first"),
        ("(score > 0", "rule, at its end: write and, or, or the ) of the ( at character 1"),
        ("score > 0)", "rule, at character 10, ')': write and, or, or nothing more"),
        ("3 < latency_ms", "rule, at character 1, '3': write a name first"),
        ("form < 3", "form is a word; compare it with == or !="),
        ("form == and", "write the form that is meant, such as form == int8"),
        ("score > high", "'high': write a number, such as score >= 0.95"),
        ("params > 1e999", "too large a number"),
        ("score > 0.5; import os", "at character 12, ';'"),
        ("__import__('os').getcwd() > 0", "unknown name"),
        ("latency_ms@jetson-nano < 3", "did you mean latency_ms"),
        ("(" * 21 + "score > 0" + ")" * 21, "nested deeper than 20; write it with fewer parentheses"),
        ("not " * 400 + "score > 0", "rule of 1,609 characters: write at most 1,000"),
    ],
)
def test_what_is_no_rule_is_told_with_its_place_and_what_would_be_right(text, message):
    with pytest.raises(UserError) as told:
        read(text)
    assert message in str(told.value)


def test_a_value_that_a_trial_lacks_meets_neither_a_comparison_nor_its_opposite():
    trial = finished(metrics={"accuracy": 0.9, "log_loss": math.nan})
    assert not read("log_loss < 1").holds(trial)
    assert not read("not log_loss < 1").holds(trial)
    assert read("log_loss < 1 or score > 0").holds(trial)
    assert read("energy_mj < 1").missed(trial) == ["energy – (asked: < 1 mJ)"]


def test_what_is_missing_is_told_of_the_nearest_alternative():
    trial = finished(score=0.93, latency_ms=3.3)
    rule = read("score >= 95% and latency_ms <= 3 or params <= 100 and form == int8")
    assert rule.missed(trial) == ["accuracy 93.0 % (asked: >= 95.0 %)", "latency 3.3 ms (asked: <= 3 ms)"]
    assert rule.distance(finished(score=0.94, latency_ms=3.3)) < rule.distance(trial)


def test_a_rule_asks_for_the_form_that_ships():
    assert read("form == fp16").holds(finished(form="fp16"))
    assert not read("form == fp16").holds(finished())
