"""What a start from weights was worth, and what distillation was worth beside it, in words and tables."""

import pytest
from study_summaries import arm, gain, summary
from test_study_report import read, with_knee

from automl_kd.cli.result_text import result_text
from automl_kd.delivery import verdict

START = {"weights": "resnet18.safetensors"}
SCRATCH = arm({"accuracy": 0.628, "macro_f1": 0.61}, gain(0.3231, 0.301, 0.345))
LATE = "not trained before the time was used up; --extend gives more"


def pretrained(every=True, **changes):
    """The study with a knee, or all of its picks, that start from weights."""
    data = summary()
    picks = []
    for pick in data.picks:
        started = every or pick.role == "knee"
        student = pick.recipe.document()["student"] | ({"start": START} if started else {})
        picks.append(pick.model_copy(update={"recipe": pick.recipe.with_(student=student)}))
    data = data.model_copy(update={"picks": tuple(picks)})
    return with_knee(data, **changes)


def with_scratch(**changes):
    return pretrained(arms={**summary().picks[0].arms, "from_scratch": SCRATCH}, **changes)


def test_the_verdict_says_what_the_start_and_what_distillation_was_worth():
    said = verdict(with_scratch()).sentences
    assert (
        "Fine-tuned without teacher the same network reaches 93.1 %; distillation is worth +2.0 points (95 % interval"
        " +0.8 to +3.2)."
    ) in said
    assert (
        "From scratch, trained alike, the same network reaches 62.8 %; the start is worth +32.3 points (95 % interval"
        " +30.1 to +34.5)."
    ) in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"missing": {"from_scratch": LATE}}, f"It was not compared with training from scratch: {LATE}."),
        ({"arms": {}}, "It was compared neither with fine-tuning without teacher nor with plain KD."),
        ({"hears_teacher": False}, "The losses that the search found hear no teacher: this is fine-tuning without"),
    ],
)
def test_an_arm_that_is_not_there_is_told_by_its_name(changes, said):
    assert any(each.startswith(said) for each in verdict(pretrained(**changes)).sentences)


def test_what_is_not_the_searched_losses_owes_no_difference_to_its_start_alone():
    others = {"searched": arm({"accuracy": 0.94}, gain(0.01, 0.0, 0.02)), "plain_kd": arm({"accuracy": 0.95})}
    said = verdict(pretrained(arm="plain_kd", arms={**others, "from_scratch": SCRATCH})).sentences
    assert any(
        each.startswith("From scratch, with the searched losses, the same network reaches 62.8 %; this recipe is worth")
        for each in said
    )


def test_random_weights_that_are_delivered_say_so():
    arms = {**summary().picks[0].arms, "searched": arm({"accuracy": 0.9}, gain(0.05, 0.02, 0.08))}
    said = verdict(summary_from_scratch(arms)).sentences
    assert any("training from scratch was ahead of training alike from the weights" in each for each in said)
    assert (
        "From the weights the same network reaches 90.0 %; this recipe is worth +5.0 points (95 % interval +2.0 to"
        " +8.0)."
    ) in said
    assert any(each.startswith("Fine-tuned without teacher") and "this recipe is worth" in each for each in said)


def summary_from_scratch(arms):
    """The study whose knee is delivered from random weights: its recipe names no others."""
    return with_knee(summary(), arm="from_scratch", arms={**arms, "from_scratch": arm({"accuracy": 0.9511})})


def test_tables_have_a_column_from_scratch_where_a_pick_was_compared_with_it():
    page, text = read(with_scratch()), result_text(with_scratch())
    assert "Searched losses Fine-tuned without teacher Plain KD From scratch Predicted latency" in page
    assert "62.8 % gain +32.3 [+30.1, +34.5]" in page
    assert "fine-tuned without teacher  plain KD  from scratch" in text
    assert "Searched losses No distillation Plain KD Predicted latency" in read(summary())
    assert "from scratch" not in result_text(summary())


def test_where_not_all_picks_start_from_weights_the_column_has_the_name_of_all():
    assert "no teacher" in result_text(pretrained(every=False))
