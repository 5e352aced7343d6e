"""Mixed precision by layer, decided for a trained student under a limit, and written down."""

from dataclasses import dataclass, replace

import pytest

import automl_kd as ak
from automl_kd.compression import priced
from automl_kd.core import UserError
from automl_kd.distillation import MixedPrecisionPolicy, distill
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe, load_recipe
from automl_kd.students import plan
from automl_kd.tasks import open_task

HW = "snapdragon-8-gen-3:tflite-npu-int8"
RECIPE = {
    "task": "digits",
    "student": {
        "family": "resnet",
        "stem": {"stride": 2},
        "stages": [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 16}],
    },
    "distill": {"losses": {}},
    "train": {"epochs": 1},
    "compress": [{"stage": "quantise", "weights": "per-tensor", "keep_float": "auto"}],
}


@dataclass(frozen=True)
class Device:
    """A device on which a block takes one millisecond in integers, two in floats, and a border a tenth."""

    name: str = "stopwatch"

    def price(self, plans):
        (whole, *_), profile = plans, load_profile("jetson-nano")
        (any_price,) = profile.price([replace(whole, integers=())])
        return [replace(any_price, ms=ms, low=ms, high=ms) for ms in map(self.ms, plans)]

    def ms(self, whole):
        borders = sum(a != b for a, b in zip(whole.integers, whole.integers[1:], strict=False))
        return sum(1 if integer else 2 for integer in whole.integers) + 0.1 * borders


@pytest.fixture(scope="module")
def trained():
    task, recipe = open_task("digits"), Recipe.model_validate(RECIPE)
    return recipe, task, distill(recipe, task, None, device="cpu").student


def test_what_is_decided_keeps_the_limit_and_is_written_into_the_recipe(trained):
    recipe, task, student = trained
    policy = MixedPrecisionPolicy(Device(), 6.3)
    result, mixed = policy.decided(recipe, student, task)
    (part,) = result.compress
    assert part.keep_float == mixed.keep_float != ()
    whole = priced(result.compress, student.plan)
    assert whole.integers == mixed.integers
    assert mixed.ms == Device().ms(whole) <= 6.3
    # The first and the last together would keep the limit, too.
    spared = sum(loss.nats for loss, integer in zip(mixed.losses, mixed.integers, strict=True) if not integer)
    assert spared >= max(mixed.losses[0].nats, mixed.losses[-1].nats)
    assert "auto" not in str(Recipe.model_validate(result.document()).document()["compress"])


def test_a_limit_above_all_floats_keeps_the_whole_student_in_floats(trained):
    recipe, task, student = trained
    _, mixed = MixedPrecisionPolicy(Device(), 100).decided(recipe, student, task)
    assert mixed.words == "computes every layer with floats: 8 ms predicted, of 100 ms allowed"
    assert mixed.together.nats < 1e-9
    assert mixed.together.score.difference == 0


def test_a_limit_below_all_integers_is_refused_before_the_training(trained):
    recipe, task, _ = trained
    whole = plan(recipe.student, task.signature)
    MixedPrecisionPolicy(Device(), 4).check(recipe, whole)
    with pytest.raises(UserError, match=r"max_latency 3\.9 ms: the student is predicted to take 4 ms on stop"):
        MixedPrecisionPolicy(Device(), 3.9).check(recipe, whole)


def test_a_delivered_recipe_makes_the_same_file_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe, profile = Recipe.model_validate(RECIPE), load_profile(HW)
    whole = priced(recipe.compress, plan(recipe.student, open_task("digits").signature))
    least, most = profile.price([whole, replace(whole, integers=(False,) * len(whole.blocks))])
    first = ak.distill(recipe, hw=HW, max_latency=(least.ms + most.ms) / 2, out="first")
    mixed = first["mixed_precision"]
    assert {each["integers"] for each in mixed["layers"]} == {True, False}
    assert first["latency_ms"] == mixed["ms"] <= mixed["limit_ms"]
    (part,) = load_recipe("first/recipe.yaml").compress
    again = ak.distill("first/recipe.yaml", hw=HW, out="again")
    same = ("student.onnx", "student.float.onnx", "student.safetensors", "recipe.yaml")
    assert [first["files"][name] for name in same] == [again["files"][name] for name in same]
    card = (tmp_path / "first" / "model_card.md").read_text(encoding="utf-8")
    assert f"computes {', '.join(part.keep_float)} with floats" in card
    assert "Precision by layer" in (tmp_path / "first" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("keep_float", "max_latency", "said"),
    [
        ("auto", None, r"recipe: compress\.0\.keep_float: auto is decided under a limit: give --max-latency, such as"),
        ([], "4ms", r"--max-latency decides keep_float: auto, which recipe does not say under compress: leave it out"),
        ("auto", "0", "max_latency '0'"),
    ],
)
def test_a_limit_and_auto_belong_together(keep_float, max_latency, said, tmp_path):
    recipe = Recipe.model_validate(RECIPE | {"compress": [{"stage": "quantise", "keep_float": keep_float}]})
    with pytest.raises(UserError, match=said):
        ak.distill(recipe, out=tmp_path / "student", max_latency=max_latency, hw=HW)
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"how": "qat"}, "auto is decided on the trained student, too late for how: qat: name the layers"),
        ({"to": "int8-weights"}, "to: int8-weights computes with floats everywhere: leave keep_float: auto out"),
    ],
)
def test_what_cannot_be_decided_later_is_refused(stage, said):
    with pytest.raises(ValueError, match=said):
        Recipe.model_validate(RECIPE | {"compress": [{"stage": "quantise", "keep_float": "auto", **stage}]})


@pytest.mark.parametrize(
    ("asked", "compress", "said"),
    [
        (
            {"hw": HW},
            "{one_of: [[{stage: quantise}], [{stage: quantise, keep_float: auto}]]}",
            "keep_float: auto is decided under a limit: give --max-latency, such as 4ms",
        ),
        (
            {"hw": "coral-edgetpu", "max_latency": "9ms"},
            "[{stage: quantise, keep_float: auto}]",
            "keep_float: coral-edgetpu runs integers alone: leave it out",
        ),
    ],
)
def test_a_search_that_has_nothing_to_decide_is_refused(asked, compress, said, tmp_path):
    with pytest.raises(UserError, match=said):
        ak.search(**asked, budget="1m", pins=(f"compress={compress}",), storage=str(tmp_path / "s.db"))
    assert not (tmp_path / "s.db").exists()
