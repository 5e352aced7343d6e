"""The report of a study: says the numbers plainly, at any time, to anyone, without a network."""

import math
import re

import pytest
from study_summaries import (
    ACCURACY,
    ENERGY,
    LATENCY,
    LOG_LOSS,
    MEMORY,
    NOTHING,
    ON_PI,
    by_log_loss,
    gain,
    regression,
    summary,
)

from automl_kd.cli.result_text import result_text
from automl_kd.delivery import front_figure, growth_figure, progress_figure, study_report, verdict
from automl_kd.objectives import Objective
from automl_kd.results import CommonValues, FailureCount, Flash, FloatOperators, ShippedFile, StudyReview

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


def without_plotly(page):
    """The page without plotly.js itself, which is 5 MB of somebody else's code."""
    return re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL)


def words(page):
    """What a reader sees, on one line."""
    text = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def read(review):
    """What a reader sees of a study's report."""
    return words(without_plotly(study_report(review)))


def with_knee(data, **changes):
    """The study with another first pick, which is the knee."""
    first, *others = data.picks
    return data.model_copy(update={"picks": (first.model_copy(update=changes), *others)})


def with_arms(data, **gains):
    """The study with other gains of its first pick over its arms; None for an arm that was not trained."""
    arms = dict(data.picks[0].arms)
    for arm, other in gains.items():
        if other is None:
            arms.pop(arm)
        else:
            arms[arm] = arms[arm].model_copy(update={"gain": other})
    return with_knee(data, arms=arms)


@pytest.fixture(scope="module")
def page():
    return without_plotly(study_report(summary()))


def test_headline_recommends_the_knee_with_its_numbers(page):
    assert "Ship trial 3: 95.1 % in a predicted 0.742 ms on jetson-nano" in words(page)


@pytest.mark.parametrize(
    "said",
    [
        "(± 0.4 points over 2 seeds)",
        "0.742 ms (0.594–0.965); the range is the 90 % interval",
        "The teacher reaches 98.6 %, 3.5 points more.",
        "Without distillation the same network reaches 93.1 %; this recipe is worth +2.0 points",
        "+2.0 points (95 % interval +0.8 to +3.2).",
        "With plain KD (temperature 4, weight 0.9) the same network reaches 94.7 %",
        "in the device&#39;s precision, it reaches 95.0 %",
        "trial 9 reaches 96.3 % in a predicted 2.2 ms",
        "beaten by no other in both accuracy and latency.",
        "screened 412 over a limit by prediction, never trained; at most 2.6 ms",
        "of a budget of 3 min 00 s",
        "non-finite loss hint at step 41 2",
        "distill. losses. kd on 3 of 3 25.0 % of 4 0.012",
        "1,234 values were looked at",
        "What most of the front shares within chance (1)",
        "train. optimizer 100.0 % – 61",
        "38.2 ms pass (median)",
    ],
)
def test_numbers_are_said(page, said):
    assert said in words(page)


def test_an_interval_with_0_is_said_to_show_nothing(page):
    assert "The interval includes 0: the test does not show that it differs from plain KD." in words(page)
    assert "differs from training without distillation" not in words(page)


def test_the_test_split_chooses_no_pick():
    data = summary()
    tempting = data.picks[0].model_copy(update={"trial": 5, "role": "fastest", "test_score": 0.99})
    page = read(data.model_copy(update={"picks": (*data.picks, tempting)}))
    assert "Ship trial 3" in page
    assert "Where accuracy matters more: trial 9" in page


def test_a_recipe_that_does_harm_is_said_to():
    data = with_arms(summary(), no_distillation=gain(-0.02, -0.03, -0.01))
    assert "−2.0 points (95 % interval −3.0 to −1.0). It does harm here." in read(data)


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        (
            "plain_kd",
            "Here plain KD (temperature 4, weight 0.9), the best of its settings, was ahead of the losses",
        ),
        ("no_distillation", "Here training without distillation was ahead of the losses that the search found"),
    ],
)
def test_an_arm_that_is_delivered_is_said_to_be_and_its_recipe_is_shown(arm, said):
    data = summary()
    arms = data.picks[0].arms
    searched = arms["searched"].model_copy(update={"score": 0.93, "gain": gain(-0.012, -0.02, -0.004)})
    made_by = data.front[1].recipe.model_copy(update={"seed": 1002})
    page = read(with_knee(data, arm=arm, arms={**arms, "searched": searched}, recipe=made_by))
    assert said in page
    assert "With the searched losses the same network reaches 93.0 %; this recipe is worth −1.2 points" in page
    assert "93.0 % gain −1.2 [−2.0, −0.4]" in page
    assert "The test does not bear the choice out." in page
    assert "It does harm here" not in page
    assert f"{arms[arm].score:.1%}".replace("%", " %") + " delivered" in page
    assert "seed: 1002" in page


def test_an_arm_that_is_delivered_because_nothing_else_ended_is_said_to_be():
    page = read(with_knee(with_arms(summary(), searched=None), arm="plain_kd"))
    assert "is delivered: no training with the losses that the search found came to its end." in page
    assert "was ahead of" not in page


def test_why_an_arm_was_not_trained_is_said():
    no_time = "not trained before the time was used up; --extend gives more"
    data = with_arms(summary(), plain_kd=None)
    said = read(with_knee(data, missing={"plain_kd": no_time}))
    assert f"It was not compared with plain KD: {no_time}." in said
    data = with_arms(data, no_distillation=None)
    said = read(with_knee(data, missing=dict.fromkeys(("plain_kd", "no_distillation"), no_time)))
    assert f"nor with plain KD: {no_time}." in said


def test_losses_that_hear_no_teacher_are_said_to():
    page = read(with_knee(with_arms(summary(), no_distillation=None), hears_teacher=False))
    assert "The losses that the search found hear no teacher: this is training without distillation." in page
    assert "not compared with training without distillation" not in page


def test_of_a_student_that_the_search_left_the_recipe_of_a_whole_training_is_shown():
    data = summary()
    short = data.front[1].recipe.model_copy(update={"seed": 1002})
    assert "seed: 1002" in study_report(with_knee(data, recipe=short))
    assert "seed: 1002" not in study_report(with_knee(data, origin="search checkpoint", recipe=short))


def test_a_front_that_shares_nothing_beyond_chance_is_said_to():
    data = summary()
    page = without_plotly(
        study_report(data.model_copy(update={"common": CommonValues(looked_at=1_234, values=data.common.values[1:])}))
    )
    assert "Nothing the front shares is more than chance would give" in words(page)
    assert '<table class="faint">' in page[page.index("within chance") :]
    assert "within chance" not in study_report(summary(common=CommonValues(looked_at=0, values=())))


def test_what_the_search_left_is_not_said_to_be_distilled_in_full():
    data = with_knee(summary(), origin="search checkpoint")
    page = read(data.model_copy(update={"front": data.front[1:2], "picks": data.picks[:1]}))
    assert "the time left held no full distillation and no arms: trial 3" in page
    assert "trained from scratch" not in page
    assert "It is the only student of the front." in page
    assert "faster students lose much accuracy" not in page


@pytest.mark.parametrize(("ms", "where"), [(0.8, "inside"), (3.0, "outside")])
def test_what_was_measured_stands_beside_its_prediction(page, ms, where):
    assert "Measure before you promise." in words(page)
    verified = read(with_knee(summary(), measured_ms=ms))
    assert f"0.742 ms (0.594–0.965) measured: {ms:.3g} ms, {where} the interval" in verified
    assert f"Measured on the device it takes {ms:.3g} ms, {where} that range." in verified
    assert verified.count("measured: ") == 1
    assert "Measure before you promise." not in verified


@pytest.mark.parametrize(
    "said",
    [
        "130 examples of 2 classes in photos: one sub-folder a class",
        "train 90 (cat 70, dog 20)",
        "shape 3 x 32 x 32; stored as uint16 PNG, values 12 to 4,095; divided by 4095",
        "left out 3: no image: .txt, such as cat/notes.txt",
        "ONNX file t.onnx, output y; images (3, 32, 32)",
        "right on 10.0 % of 20 images of search-validation, 90.0 % with its classes in the best order; always the most"
        " frequent class: 75.0 %",
        "warning say which output is which",
    ],
)
def test_what_was_understood_of_data_and_teacher_is_said(page, said):
    assert said in words(without_plotly(page))


def test_a_pick_that_was_not_distilled_says_why(page):
    assert "Trial 5, fastest: not trained before the time was used up." in words(page)


def test_the_winning_recipe_is_there_as_yaml(page):
    assert "kd: {weight: 1.0, temperature: 4.0}" in page


@pytest.mark.parametrize("study", [summary, by_log_loss, regression])
def test_nothing_yet_is_a_page_too(study):
    page = study_report(study(**NOTHING))
    assert "No student yet" in page
    assert len(page) < 20_000, "plotly.js is only there when something is drawn"


def test_a_search_before_its_picks_promises_nothing():
    page = read(summary(picks=(), state="open"))
    assert "Nothing to ship yet; trial 3 promises most" in page
    assert "nothing here was measured on the test split" in page


@pytest.mark.parametrize("part", sorted(NOTHING))
def test_a_page_waits_for_no_part(part):
    study_report(summary(**{part: NOTHING[part]}))


def test_hostile_names_stay_text():
    data = summary(
        **dict.fromkeys(("study", "task", "hw", "space", "state"), HOSTILE),
        failures=(FailureCount(reason=HOSTILE, count=1),),
        objectives=(ACCURACY, LATENCY, Objective(f"latency_ms@{HOSTILE}", "minimize", "ms", known=True)),
    )
    here = {f"latency_ms@{HOSTILE}": 3.0}
    changed = [each.model_copy(update={"objectives": each.objectives | here}) for each in data.complete]
    picks = [each.model_copy(update={"role": HOSTILE, "objectives": each.objectives | here}) for each in data.picks]
    data = data.model_copy(
        update={
            "complete": changed,
            "front": changed[:3],
            "picks": picks,
            "stopped": [each.model_copy(update={"objectives": each.objectives | here}) for each in data.stopped],
            "history": [each.model_copy(update={"objectives": each.objectives | here}) for each in data.history],
        }
    )
    page = without_plotly(study_report(data))
    assert "<img" not in page
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script>")


def test_nothing_is_loaded():
    page = without_plotly(study_report(summary()))
    assert not re.search(r"<(link|iframe|img|object)\b|<script[^>]+src=|@import|url\(", page)
    assert "http://" not in page
    assert "https://" not in page


def test_plotly_is_inlined_once():
    assert study_report(summary()).count("plotly.js v") == 1


def test_a_review_that_was_json_gives_the_same_page():
    review = summary()
    assert study_report(StudyReview.model_validate_json(review.model_dump_json())) == study_report(review)


def test_front_figure_shows_intervals_picks_and_stopped_trials():
    traces = {trace.name: trace for trace in front_figure(summary()).data}
    assert list(traces) == ["stopped early", "complete", "front", "picks"]
    assert list(traces["front"].x) == [0.31, 0.742, 2.2]
    assert traces["front"].error_x.array[1] == pytest.approx(0.3 * 0.742)
    assert traces["front"].error_x.arrayminus[1] == pytest.approx(0.2 * 0.742)
    assert list(traces["complete"].x) == [1.0]
    assert list(traces["picks"].text) == ["knee · 3", "best · 9"]


def test_an_empty_front_figure_has_no_traces():
    assert not front_figure(summary(**NOTHING)).data


def test_the_hypervolume_is_shown_by_time_and_by_trials_with_its_reference_in_words():
    accuracy, by_time = progress_figure(summary()).data
    (by_trials,) = growth_figure(summary()).data
    assert accuracy.x == by_time.x == (20.0, 30.0, 40.0, 50.0)
    assert by_trials.x == (1, 2, 3, 4)
    assert by_trials.y == by_time.y
    for figure in (progress_figure(summary()), growth_figure(summary())):
        # .80 less a point, 2.2 ms and 1 %
        assert "reference 79.0 % accuracy, 2.22 ms" in figure.layout.annotations[-1].text


def test_figures_of_a_study_without_finished_trials_say_so():
    for figure in (progress_figure(summary(**NOTHING)), growth_figure(summary(**NOTHING))):
        assert "no trial is finished" in figure.layout.annotations[-1].text


def test_long_searches_are_shown_in_hours():
    data = summary()
    rows = tuple(row.model_copy(update={"seconds": 3600 * row.seconds}) for row in data.history)
    figure = progress_figure(data.model_copy(update={"history": rows}))
    assert list(figure.data[1].x) == [20, 30, 40, 50]
    assert figure.layout.xaxis2.title.text == "hours"


def test_every_metric_of_picks_arms_and_teacher_is_reported(page):
    said = words(page)
    assert "All metrics on the test split" in said
    assert "Trial Accuracy Macro F1 3 · knee 95.1 % ± 0.4 94.8 % ± 0.4 as deployed 95.0 % 94.7 %" in said
    # Arms of the recommended pick only.
    assert "no distillation 93.1 % 92.0 % plain KD 94.7 % 94.0 % 9 · best 96.3 % ± 0.4" in said
    assert "teacher 98.6 % 98.2 %" in said


def test_a_study_of_accuracy_alone_has_no_second_table():
    data = summary()
    lone = {"test_metrics": {"accuracy": 0.95}, "deployed_metrics": {}}
    picks = tuple(pick.model_copy(update=lone) for pick in data.picks)
    teacher = data.teacher.model_copy(update={"metrics": {"accuracy": 0.9861}})
    assert "All metrics" not in read(data.model_copy(update={"picks": picks, "teacher": teacher}))


def test_a_metric_that_a_sample_does_not_define_is_a_dash():
    data = with_knee(summary(), test_metrics={"accuracy": 0.9511, "macro_f1": math.nan})
    assert "3 · knee 95.1 % ± 0.4 – as deployed" in read(data)


@pytest.mark.parametrize(
    "said",
    [
        "Ship trial 3: log loss 0.132 nats in a predicted 0.742 ms on jetson-nano",
        "On the test split its log loss is 0.132 nats (± 0.0021 nats over 2 seeds); less is better.",
        "faster students have a much higher log loss, slower ones hardly a lower one.",
        "The teacher reaches 0.11 nats, 0.022 nats less.",
        "the same network reaches 0.171 nats; this recipe changes that by −0.039 nats (95 % interval −0.05 to −0.028).",
        "As deployed, in the device&#39;s precision, it reaches 0.135 nats.",
        "Where log loss matters more: trial 9 reaches 0.125 nats in a predicted 2.2 ms",
        "beaten by no other in both log loss and latency.",
        "What decides log loss and the front",
    ],
)
def test_a_metric_of_which_less_is_better_is_shown_in_its_unit_and_sign(said):
    assert said in read(by_log_loss())


def test_a_rise_of_a_metric_of_which_less_is_better_is_a_harm():
    worse = with_arms(by_log_loss(), no_distillation=gain(0.02, 0.01, 0.03))
    assert "changes that by +0.02 nats (95 % interval +0.01 to +0.03). It does harm here." in read(worse)
    assert "It does harm here" not in read(by_log_loss())


def test_the_best_of_a_metric_of_which_less_is_better_is_the_lowest():
    best, _ = progress_figure(by_log_loss()).data
    assert best.y == (0.41, 0.142, 0.131, 0.131)
    assert "reference 0.606 nats log loss, 2.22 ms" in growth_figure(by_log_loss()).layout.annotations[-1].text


def test_better_is_up_on_the_axis_of_any_metric():
    worst, best = front_figure(by_log_loss()).layout.yaxis.range
    assert worst > 0.6 > 0.1 > best
    assert "less is better" in front_figure(by_log_loss()).layout.yaxis.title.text
    worst, best = front_figure(summary()).layout.yaxis.range
    assert worst < 0.8 < 0.99 < best
    assert front_figure(summary()).layout.yaxis.title.text == "accuracy on search-validation"


def test_where_a_problem_has_no_accuracy_the_page_never_says_it():
    page = read(regression())
    assert "accuracy" not in page.lower()
    assert "classifies" not in page
    assert "Ship trial 3: RMSE 1.42 in a predicted" in page
    assert "RMSE (less is better) MAE (less is better) R² 3 · knee 1.42 ± 0.1 0.71 ± 0.1 0.95 ± 0.1" in page
    for figure in (front_figure(regression()), progress_figure(regression())):
        assert "accuracy" not in str(figure).lower()


def test_two_known_objectives_are_two_panels_of_the_same_trials():
    figure = front_figure(summary((ACCURACY, LATENCY, ON_PI)))
    fronts = [trace for trace in figure.data if trace.name == "front"]
    assert [list(trace.x) for trace in fronts] == [[0.31, 0.742, 2.2], pytest.approx([1.24, 2.968, 8.8])]
    assert fronts[0].y == fronts[1].y
    assert fronts[1].error_x.array[0] == pytest.approx(0.31 * 1.2)
    assert [trace.showlegend for trace in fronts] == [True, False]
    titles = [figure.layout.xaxis.title.text, figure.layout.xaxis2.title.text]
    assert ["jetson-nano" in titles[0], "raspberry-pi-4" in titles[1]] == [True, True]


@pytest.mark.parametrize(
    "said",
    [
        "95.1 % in a predicted 0.742 ms on jetson-nano, 2.97 ms on raspberry-pi-4",
        "0.742 ms (0.594–0.965) on jetson-nano and 2.97 ms (2.37–3.86) on raspberry-pi-4; the ranges are the 90 %",
        "cheaper students lose much accuracy, dearer ones gain little",
        "in all of accuracy, latency on jetson-nano and latency on raspberry-pi-4.",
        "Trial Accuracy Predicted latency on jetson-nano Predicted latency on raspberry-pi-4 Coverage",
        "3 95.0 % 0.742 ms (0.594–0.965) 2.97 ms (2.37–3.86) 100.0 %",
        "0.742 ms (0.594–0.965) 2.97 ms on raspberry-pi-4",
        "in a predicted 2.2 ms on jetson-nano, 8.8 ms on raspberry-pi-4",
    ],
)
def test_two_known_objectives_are_both_stated(said):
    assert said in read(summary((ACCURACY, LATENCY, ON_PI)))


def test_memory_and_energy_are_stated_without_intervals():
    page = read(by_log_loss((LOG_LOSS, MEMORY, ENERGY)))
    assert (
        "log loss 0.132 nats in a predicted 0.742 ms, 65.2 KiB of memory and 1.48 mJ of energy on jetson-nano" in page
    )
    assert "It needs a predicted 65.2 KiB of memory and 1.48 mJ of energy." in page
    assert "Students of the front, smallest first" in page
    figure = front_figure(by_log_loss((LOG_LOSS, MEMORY, ENERGY)))
    assert figure.layout.xaxis.title.text.startswith("memory")
    assert figure.layout.xaxis2.title.text.startswith("energy, mJ")


FLASH = Flash(weights=2_048, file=4_096, float_weights=8_192, float_file=9_216, limit=2**21)


def quantised(data=None, **changes):
    """The study with a knee that ships quantised, one point worse than in float32."""
    data = summary() if data is None else data
    form = {
        "recipe": data.picks[0].recipe.with_(compress=[{"stage": "quantise"}]),
        "test_score_float": 0.9631,
        "float_metrics": {"accuracy": 0.9631, "macro_f1": 0.96},
        "gain_over_float": gain(-0.012, -0.02, -0.004),
        "shipped": ShippedFile(flash=FLASH, in_floats=(), on_host=None),
    }
    return with_knee(data, **(form | changes))


def in_floats(operator, kept):
    return FloatOperators(operator=operator, count=2, layers=("stage1.0", "head.0"), kept=kept)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            gain(-0.012, -0.02, -0.004),
            "reach 96.3 % (mean of 2 seeds): int8 costs 1.2 points (95 % interval 0.4 to 2.0).",
        ),
        (
            gain(0.012, 0.004, 0.02),
            "In float32 the same weights reach 96.3 % (mean of 2 seeds): int8 gains 1.2 points (95",
        ),
        (gain(-0.002, -0.006, 0.001), "by −0.2 points (95 % interval −0.6 to +0.1), which is within noise."),
        (None, "What the same weights reach in float32, without int8, was not read."),
    ],
)
def test_what_the_form_that_ships_costs_is_said_in_a_sentence(found, said):
    data = quantised(gain_over_float=found)
    assert said in read(data)
    assert said in result_text(data)


def test_what_the_form_costs_of_a_metric_of_which_less_is_better():
    data = quantised(by_log_loss(), test_score_float=0.112, gain_over_float=gain(0.02, 0.01, 0.03))
    assert "reach 0.112 nats (mean of 2 seeds): int8 costs 0.02 nats (95 % interval 0.01 to 0.03)." in read(data)


def test_what_ships_stands_beside_float32_in_a_table():
    page = read(quantised())
    assert "3 · knee int8 95.1 % 96.3 % −1.2 points [−2.0, −0.4] 2.0 KiB of 8.0 KiB 4.0 KiB of 9.0 KiB nothing" in page
    assert "Of the device&#39;s 2.0 MiB of flash its weights take 2.0 KiB (8.0 KiB in float32);" in page
    assert "in float32 96.3 % 96.0 %" in page
    assert "All of its operators compute with integers." in page
    assert "What ships" not in read(summary())


def test_what_fell_back_is_said_apart_from_what_the_recipe_keeps():
    found = (in_floats("Softmax", False), in_floats("Conv", True))
    page = read(quantised(shipped=ShippedFile(flash=FLASH, in_floats=found, on_host="2 of 31 kernels: softmax")))
    assert "The recipe keeps stage1.0 and head.0 in floats." in page
    assert "stage1.0 and head.0, as the recipe says; 2 Softmax (stage1.0, head.0)" in page
    assert (
        "Nothing quantises 2 Softmax (stage1.0, head.0): what computes with integers alone leaves them to its host, "
        in page
    )
    assert "To its host the device&#39;s runtime leaves 2 of 31 kernels: softmax." in page


def test_the_file_is_no_second_score_of_what_is_quantised():
    data = quantised()
    alone = data.model_copy(update={"picks": data.picks[:1]})
    assert "As deployed" not in read(alone)
    assert "as deployed" not in read(alone)
    assert "on device" not in result_text(alone)
    assert "As deployed, in the device" not in read(data), "another pick is of floats"
    assert "As deployed, in the device" in read(summary())
    assert "on device" in result_text(summary())


def test_layers_that_were_decided_under_a_limit_are_told_and_a_student_of_floats_is_not_called_int8():
    kept = (in_floats("Conv", True),)
    told = {"decided": "computes stem with floats: 1 ms predicted, of 2 ms allowed", "scored": True}
    mixed = ShippedFile(form="int8 (mixed)", flash=FLASH, in_floats=kept, on_host=None, **told)
    for said in (read(quantised(shipped=mixed)), result_text(quantised(shipped=mixed))):
        assert "int8 (mixed) costs 1.2 points" in said
        assert "The student computes stem with floats: 1 ms predicted, of 2 ms allowed." in said
    floats = quantised(shipped=mixed.model_copy(update={"form": "float32", "decided": None}))
    assert "3 · knee float32 95.1 %" in read(floats)
    assert "trial 3, float32: The recipe keeps every layer in floats; nothing is left to compute" in result_text(floats)
    assert "int8" not in result_text(floats)


def test_a_file_for_the_device_that_was_not_made_is_told():
    shipped = ShippedFile(flash=FLASH, in_floats=(), on_host=None, not_converted="Erf has no counterpart")
    data = quantised(shipped=shipped)
    assert "trial 3: student.tflite is not delivered: Erf has no counterpart" in result_text(data)
    assert "student.tflite is not delivered: Erf has no counterpart" in read(data)


def test_a_compressed_pick_of_before_float32_was_read_is_a_page_too():
    before = quantised(test_score_float=None, float_metrics={}, gain_over_float=None, shipped=None)
    assert "3 · knee int8 95.1 % – – – – –" in read(before)


@pytest.mark.parametrize(
    ("objective", "role", "said"),
    [
        (LATENCY, "fastest", "It is the fastest student of the front."),
        (ON_PI, "fastest on raspberry-pi-4", "It is the fastest student of the front on raspberry-pi-4."),
        (MEMORY, "smallest", "It is the smallest student of the front."),
        (ENERGY, "thriftiest", "It is the thriftiest student of the front."),
    ],
)
def test_the_best_in_each_known_objective_has_a_role_of_its_own(objective, role, said):
    assert objective.extreme_role == role
    data = with_knee(summary((ACCURACY, LATENCY, ON_PI, MEMORY, ENERGY)), role=role)
    assert said in verdict(data).sentences


def test_hypervolume_grows_over_three_objectives():
    # Each trial is slower in all prices alike, so each of the front adds volume and the one behind it none.
    (grown,) = growth_figure(summary((ACCURACY, LATENCY, ON_PI))).data
    assert list(grown.y) == sorted(grown.y)
    assert grown.y[-2] == grown.y[-1] == 1.0
    assert grown.y[0] < grown.y[1] < grown.y[2]


def test_a_front_of_measured_objectives_alone_is_drawn_over_the_latency():
    robust = Objective("robust_accuracy", "maximize", "%")
    data = summary()
    more = [
        each.model_copy(update={"objectives": each.objectives | {"robust_accuracy": each.score - 0.2}})
        for each in data.complete
    ]
    rows = [
        row.model_copy(update={"objectives": row.objectives | {"robust_accuracy": row.score - 0.2}})
        for row in data.history
    ]
    data = data.model_copy(
        update={"objectives": (ACCURACY, robust), "complete": more, "front": more[:3], "history": rows}
    )
    assert front_figure(data).layout.xaxis.title.text == "predicted latency, ms (logarithmic)"
    assert "Trial Accuracy Robust accuracy Predicted latency" in read(data)
