"""A search for a device of integers ships integers, and asks of device and students only what they have."""

import json
import random

import pytest

from automl_kd.compression import Quantise
from automl_kd.core import UserError, load_yaml, shipped_dir
from automl_kd.hardware import load_profile
from automl_kd.recipes import Space
from automl_kd.studies.deployed_form import deployable
from automl_kd.studies.integers import check_recipe, device_fault
from automl_kd.studies.state import DeployedForm
from automl_kd.tasks import open_task

ONE, TWO = [{"depth": 1, "channels": 4}], [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]
QUANTISE = {"stage": "quantise"}
ONLY = {"only": True, "weights": ["per-tensor"], "source": "a test"}


@pytest.fixture(scope="module")
def task():
    return open_task("digits")


@pytest.fixture
def own(tmp_path):
    """A Raspberry Pi 4 whose ncnn, in int8, is what a user says of it."""

    def own(**said):
        document = load_yaml((shipped_dir("hardware_profiles") / "raspberry-pi-4.yaml").read_text())
        document["targets"]["ncnn-int8"] |= said
        (tmp_path / "own.yaml").write_text(json.dumps(document))
        return load_profile(f"{tmp_path / 'own.yaml'}:ncnn-int8")

    return own


def space(compress=None):
    student = {"family": "resnet", "stages": {"one_of": [ONE, TWO]}, "width": {"choice": [1.0, 2.0]}}
    part = {} if compress is None else {"compress": compress}
    return Space({"search_epochs": 3, "student": student, "train": {"epochs": 3}} | part, "mine")


def stages_of(space):
    """The forms that are drawn, without what a recipe fills in."""
    rng = random.Random(0)
    recipes = [space.sample(rng) for _ in range(48)]
    return {tuple(each.model_dump_json(exclude_defaults=True) for each in recipe.compress) for recipe in recipes}


def refusal(*arguments):
    with pytest.raises(UserError) as raised:
        deployable(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_says_nothing_of_compress_ships_the_integers_that_the_device_has(task, own):
    found = deployable(space(), "mine", task, own(integers=ONLY))
    assert found.space.document["compress"] == [{"stage": "quantise", "weights": "per-tensor"}]
    assert found.ships == (
        "integers: quantise (weights per-tensor), because own:ncnn-int8 runs integers alone; compress in the space"
        " decides otherwise"
    )
    symmetric = deployable(space(), "mine", task, load_profile("jetson-orin-nano:tensorrt-int8"))
    assert symmetric.space.document["compress"][0]["activations"] == "symmetric"
    assert "computes in int8" in symmetric.ships
    for floats in ("raspberry-pi-4", "nvidia-t4"):
        assert deployable(whole := space(), "mine", task, load_profile(floats)).space is whole


def test_a_study_keeps_the_form_that_it_was_begun_in(task, own):
    first = deployable(space(), "mine", task, own(integers=ONLY))
    changed = own(integers=ONLY | {"weights": ["per-channel"]})
    again = deployable(space(), "mine", task, changed, first.form)
    assert again.space.digest() == first.space.digest() != deployable(space(), "mine", task, changed).space.digest()

    for before in (space(), space([])):  # begun when nothing was asked of the device
        assert deployable(before, "mine", task, changed, DeployedForm()).space.digest() == before.digest()

    either = space({"one_of": [[], [{"stage": "fp16"}], [QUANTISE], [QUANTISE | {"weights": "per-tensor"}]]})
    left = deployable(either, "mine", task, own(integers=ONLY))
    assert deployable(either, "mine", task, changed, left.form).space.digest() == left.space.digest()


def test_forms_that_the_device_does_not_run_are_left_out_and_named(task, own):
    either = space(
        {"one_of": [[], [{"stage": "fp16"}], [QUANTISE | {"weights": {"choice": ["per-tensor", "per-channel"]}}]]}
    )
    found = deployable(either, "mine", task, own(integers=ONLY))
    assert stages_of(found.space) == {('{"stage":"quantise","weights":"per-tensor"}',)}
    assert len(found.told) == 2
    assert all(line.startswith("space mine goes without forms that do not fit: compress") for line in found.told)
    assert not any("leave compress out" in line for line in found.told)
    assert len(stages_of(deployable(either, "mine", task, load_profile("x86-server")).space)) == 4


@pytest.mark.parametrize(
    ("compress", "said", "words"),
    [
        ([], {}, "ships floats, and own:ncnn-int8 computes in int8: take --hw own, or leave compress out"),
        ([{"stage": "fp16"}], {"integers": ONLY}, "ships floats, and own:ncnn-int8 runs integers alone: take --hw own"),
        ([QUANTISE], {"integers": ONLY}, "loads no per-channel weights; it loads per-tensor ones"),
        (
            [QUANTISE | {"weights": "per-tensor", "keep_float": ["last"]}],
            {"integers": ONLY},
            "keep_float: own:ncnn-int8 runs integers alone: leave it out",
        ),
        (
            [QUANTISE | {"keep_float": ["last"]}],
            {"integers": ONLY | {"only": False, "weights": ["per-channel"]}},
            r"prices no floats (integers.floats): leave it out",
        ),
        ([QUANTISE], {"opset": 12}, "own:ncnn-int8 reads files up to opset 12, and it writes 13"),
        (
            [QUANTISE],
            {"file": {"name": "a.engine", "symmetric": True, "source": "a test"}},
            "activations: own:ncnn-int8 loads no zero points but 0: say symmetric",
        ),
        (
            [QUANTISE | {"to": "int8-weights"}],
            {},
            "quantise.to: int8-weights computes with floats, and own:ncnn-int8 computes in int8: take --hw own, or say",
        ),
        (
            [QUANTISE, {"stage": "fp16"}],
            {},
            "space mine: compress: quantise writes the file and must be the last stage: leave fp16 out",
        ),
        ([QUANTISE | {"examples": 5000}], {}, "takes 5000 examples, and the training split has 1000: say fewer"),
        (
            [QUANTISE | {"keep_float": ["first", "stage9"]}],
            {},
            "no student has a layer 'stage9'; there are first, last, stem, stage1, stage2, head, and blocks such as",
        ),
    ],
)  # fmt: skip
def test_what_device_or_students_do_not_have_is_refused_in_one_line(task, own, compress, said, words):
    assert words in refusal(space(compress), "mine", task, own(**said))


@pytest.mark.parametrize(
    ("hw", "to", "words"),
    [
        ("raspberry-pi-4", "int8", "raspberry-pi-4 loads networks of floats alone: take --hw raspberry-pi-4:ncnn-int8"),
        ("jetson-nano:pytorch", "int8", "jetson-nano:pytorch loads networks of floats alone: leave compress out"),
        ("jetson-nano", "int8-weights", "jetson-nano loads networks of floats alone: leave compress out"),
        ("rb3-gen-2:qnn-w8a16", "int8", "finds integers of its own, of w8a16, in a network of floats: take --hw rb3-"),
        ("jetson-orin-nano", "int8", "activations: jetson-orin-nano loads no zero points but 0: say symmetric"),
        ("jetson-orin-nano", "int8-weights", None),
        ("local", "int8", None),
        ("hailo-8", "int8", None),
    ],
)
def test_integers_go_where_the_runtime_reads_them_or_finds_as_many(task, hw, to, words):
    part = Quantise(stage="quantise", to=to)
    fault = device_fault(part, task, load_profile(hw))
    assert (fault is None) if words is None else (words in str(fault))


def test_texts_are_not_searched_for_what_loads_networks_of_images(tmp_path):
    rows = [f"{'good' if number % 2 else 'bad'} words n{number},{number % 2}" for number in range(80)]
    (tmp_path / "texts.csv").write_text("\n".join(["words,about", *rows]))
    data = "{kind: csv, path: texts.csv, text: words, label: about, length: 8, vocabulary: 50}"
    (tmp_path / "task.yaml").write_text(f"name: topics\ndata: {data}\n")
    fault = device_fault(
        Quantise(stage="quantise"), open_task(str(tmp_path / "task.yaml")), load_profile("coral-edgetpu")
    )
    assert "coral-edgetpu loads student_edgetpu.tflite, which is made of networks of images alone" in str(fault)


def test_devices_of_further_objectives_run_what_ships_too(task, own):
    trt, coral = load_profile("jetson-orin-nano:tensorrt-int8"), load_profile("coral-edgetpu")
    here = load_profile("x86-server")

    def refused(compress, elsewhere):
        with pytest.raises(UserError) as raised:
            deployable(space(compress), "mine", task, here, elsewhere=[elsewhere])
        return str(raised.value)

    assert refused(None, coral) == (
        "space mine: compress: ships floats, and coral-edgetpu runs integers alone: leave that objective out"
    )
    assert "take --objective latency@own, or leave" in refused(None, own())
    assert "tensorrt-int8 loads no zero points but 0: say symmetric" in refused([QUANTISE], trt)
    either = space([QUANTISE | {"activations": {"choice": ["asymmetric", "symmetric"]}}])
    found = deployable(either, "mine", task, here, elsewhere=[trt, coral])
    assert stages_of(found.space) == {('{"stage":"quantise","activations":"symmetric"}',)}
    again = deployable(either, "mine", task, here, found.form, elsewhere=[trt, coral])
    assert again.space.digest() == found.space.digest()


def test_what_does_not_fit_together_is_told_and_not_drawn(task):
    """Each option alone is there in what is left."""
    to, activations = ({"choice": each} for each in (["int8", "int8-weights"], ["asymmetric", "symmetric"]))
    mixed = space([QUANTISE | {"to": to, "activations": activations}])
    profile = load_profile("jetson-orin-nano")
    found = deployable(mixed, "mine", task, profile)
    assert found.told == (
        "space mine goes without forms that do not fit: compress quantise.activations: jetson-orin-nano loads no zero"
        " points but 0: say symmetric",
    )
    assert found.form.without == {}
    for each in (found, deployable(mixed, "mine", task, profile, found.form)):
        assert stages_of(each.space) == {
            ('{"stage":"quantise","activations":"symmetric"}',),
            ('{"stage":"quantise","to":"int8-weights"}',),
        }


def test_students_without_a_layer_to_keep_are_not_drawn(task):
    found = deployable(space([QUANTISE | {"keep_float": ["stage2"]}]), "mine", task, load_profile("x86-server"))
    rng = random.Random(0)
    assert {len(found.space.sample(rng).student.stages) for _ in range(16)} == {2}
    assert "unknown layer 'stage2'" in found.told[0]


def test_students_that_cannot_be_folded_are_left_out_and_named(task):
    pytest.importorskip("timm")
    # Its weights are standardised in every run.
    computed = {"family": "timm", "model": "resnetv2_50x1_bit", "resolution": 32, "cut": 1}
    other = {"family": "timm", "model": "resnet10t", "resolution": 32}
    student = {"one_of": [computed, other, {"family": "resnet", "stages": ONE}]}
    either = Space({"search_epochs": 3, "student": student, "train": {"epochs": {"choice": [3, 4]}}}, "mine")
    found = deployable(either, "mine", task, load_profile("coral-edgetpu"))
    assert found.told[0].startswith(
        "space mine goes without forms that do not fit: compress quantise: students of family timm have no form in"
        " integers: cannot fold StudentModule into a graph: the weight of "
    )
    assert found.space.document["student"] == {"one_of": student["one_of"][1:]}


def test_a_recipe_is_held_to_its_device_too_unless_it_ships_floats(task, own):
    recipe = space([QUANTISE]).sample(random.Random(0))
    assert check_recipe(recipe, "r.yaml", task, own()) == ()
    with pytest.raises(UserError, match=r"^r.yaml: compress quantise.weights: own:ncnn-int8 loads no per-channel"):
        check_recipe(recipe, "r.yaml", task, own(integers=ONLY))
    with pytest.raises(UserError, match=r"^r.yaml: compress: quantise writes the file and must be the last stage"):
        check_recipe(recipe.with_(compress=[QUANTISE, {"stage": "fp16"}]), "r.yaml", task, load_profile("x86-server"))
    assert check_recipe(recipe.with_(compress=[]), "r.yaml", task, own(integers=ONLY)) == (
        "r.yaml: compress: ships floats, and own:ncnn-int8 runs integers alone, as which it is priced here: take --hw"
        " own, or say compress: [{stage: quantise, weights: per-tensor}]",
    )
