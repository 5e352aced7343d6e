"""Inputs of any shape, number and type, named as the file names them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from automl_kd.hardware import load_profile, measure_latency

DEVICE = ("--hw", "raspberry-pi-4")


def write(path, nodes, inputs, outputs, constants=(), opset=17):
    """A checked file; sizes of inputs and outputs may be names."""
    values = [[helper.make_tensor_value_info(*each) for each in side] for side in (inputs, outputs)]
    tensors = [numpy_helper.from_array(np.asarray(content), name) for name, content in constants]
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "g", *values, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def here(tmp_path):
    """The folder that commands run in."""
    folder = tmp_path / "here"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def sound(here):
    """Windows of sound by convolution."""
    nodes = [("Unsqueeze", ["x", "a"], ["u"], {}), ("Conv", ["u", "w"], ["y"], {"strides": [160]})]
    constants = [("a", [1]), ("w", np.ones((32, 1, 400), np.float32))]
    results = [("y", TensorProto.FLOAT, ["N", 32, "frames"])]
    return write(here / "sound.onnx", nodes, [("x", TensorProto.FLOAT, ["N", "samples"])], results, constants)


@pytest.fixture
def text(here):
    """Tokens, a mask and a temperature to rows of a table, sequence first; two results of different types."""
    inputs = [
        ("tokens", TensorProto.INT64, ["time", "N"]),
        ("mask", TensorProto.BOOL, ["time", "N"]),
        ("temperature", TensorProto.FLOAT, []),
        ("memory:0", TensorProto.FLOAT16, ["N", 8]),
    ]
    nodes = [
        ("Gather", ["table", "tokens"], ["rows"], {}),
        ("Cast", ["mask"], ["kept"], {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["kept", "last"], ["wide"], {}),
        ("Mul", ["rows", "wide"], ["masked"], {}),
        ("Div", ["masked", "temperature"], ["warm"], {}),
        ("Cast", ["memory:0"], ["memory"], {"to": TensorProto.FLOAT}),
        ("Add", ["warm", "memory"], ["y"], {}),
        ("ReduceMax", ["tokens"], ["most"], {"keepdims": 0}),
    ]
    constants = [("table", np.ones((5, 8), np.float32)), ("last", [2])]
    results = [("y", TensorProto.FLOAT, ["time", "N", 8]), ("most", TensorProto.INT64, [])]
    return write(here / "text.onnx", nodes, inputs, results, constants)


@pytest.mark.parametrize("given", [("--input-shape", "16000"), ("--input", "x=1x16000"), ("--input", "x=1,16000")])
@pytest.mark.parametrize("verb", [("predict", *DEVICE), ("measure",)])
def test_an_open_size_is_given_by_place_or_by_name(run, sound, verb, given):
    said = run("hw", verb[0], "sound.onnx", *verb[1:], *given, "--json")
    assert said.code == 0, said.err
    assert said.document["ms"] > 0
    assert said.err == ""


def test_more_sound_costs_more_wherever_it_is_priced_or_measured(sound):
    profile = load_profile("raspberry-pi-4")
    sizes = (4_000, 160_000)
    short, long = (profile.predict(sound, inputs={"x": (1, size)}).ms for size in sizes)
    assert long > short
    short, long = (measure_latency(sound, visits=5, input_shape=(size,)).ms for size in sizes)
    assert long > 5 * short


@pytest.mark.parametrize("scalar", ["temperature=scalar", "temperature="])
@pytest.mark.parametrize("verb", [("predict", *DEVICE), ("measure",)])
def test_several_inputs_of_several_types_sequence_first(run, text, verb, scalar):
    said = run("hw", verb[0], "text.onnx", *verb[1:], "--input", "tokens=12x1", "--input", scalar, "--json")
    assert said.code == 0, said.err
    assert said.document["ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "token=12x1"), ["unknown input 'token'", "did you mean tokens"]),
        (("--input", "tokens=12"), ["'tokens'", "(time, N)", "(12,)"]),
        (("--input", "tokens=12x1", "--input", "memory:0=1x9"), ["'memory:0'", "(N, 8)", "(1, 9)"]),
        (("--input", "tokens=12x1", "--input", "temperature=3"), ["'temperature'", "()", "(3,)"]),
        (("--input", "tokens=0x1"), ["--input tokens=0x1", "'0x1' is no shape", "tokens=1x80x3000"]),
        (("--input", "tokens=-1x1"), ["--input tokens=-1x1", "is no shape"]),
        (("--input", "tokens=12xmany"), ["--input tokens=12xmany", "'12xmany' is no shape"]),
        (("--input", "12x1"), ["--input 12x1", "write NAME=SIZES"]),
        (("--input", "tokens=12x1", "--input", "tokens=13x1"), ["'tokens' has the shape (12, 1) already"]),
        (("--input-shape", "80,"), ["--input-shape 80,", "write sizes above zero"]),
        (("--input-shape", "0"), ["--input-shape 0", "write sizes above zero"]),
        ((), ["axis 0 of input 'tokens'", "(time, N)", "--input tokens="]),
    ],
)
@pytest.mark.parametrize("verb", [("predict", *DEVICE), ("measure",)])
def test_a_shape_that_does_not_fit_is_told_by_input_declaration_and_option(mistake, text, verb, arguments, words):
    message = mistake("hw", verb[0], "text.onnx", *verb[1:], *arguments)
    for word in words:
        assert word in message


def test_what_cannot_be_made_up_is_told_by_input(mistake, here):
    nodes = [("Identity", ["words"], ["y"], {})]
    write(here / "words.onnx", nodes, [("words", TensorProto.STRING, [4])], [("y", TensorProto.STRING, [4])])
    assert "input 'words' holds string" in mistake("hw", "measure", "words.onnx")


def test_a_model_that_fails_on_made_up_values_says_so_in_one_line(mistake, here):
    nodes = [("Reshape", ["x", "shape"], ["y"], {})]
    inputs = [("x", TensorProto.FLOAT, [6]), ("shape", TensorProto.INT64, [2])]
    write(here / "values.onnx", nodes, inputs, [("y", TensorProto.FLOAT, ["a", "b"])])
    message = mistake("hw", "measure", "values.onnx")
    assert "values.onnx failed on made-up values for x of shape (6,), shape of shape (2,)" in message


def test_results_of_another_rank_than_declared_are_measured_all_the_same(here):
    nodes = [("Reshape", ["x", "shape"], ["y"], {})]
    inputs = [("x", TensorProto.FLOAT, [1]), ("shape", TensorProto.INT64, ["axes"])]
    file = write(here / "rank.onnx", nodes, inputs, [("y", TensorProto.FLOAT, ["length"])])
    assert measure_latency(file, visits=5, inputs={"shape": (3,)}).ms > 0


def test_control_flow_is_measured(here):
    branch = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], [kind])],
            kind,
            [],
            [helper.make_tensor_value_info(kind, TensorProto.FLOAT, [6])],
        )
        for kind in ("Relu", "Neg")
    ]
    nodes = [("If", ["on"], ["y"], {"then_branch": branch[0], "else_branch": branch[1]})]
    inputs = [("x", TensorProto.FLOAT, [6]), ("on", TensorProto.BOOL, [])]
    assert measure_latency(write(here / "if.onnx", nodes, inputs, [("y", TensorProto.FLOAT, [6])]), visits=5).ms > 0


KIT = ("hw", "kit", *DEVICE, "-n", "5", "--out", "kit")


def test_a_kit_takes_the_input_of_its_networks_by_name(run):
    said = run(*KIT, "--input", "input=1x3x16x12", "--json")
    assert said.code == 0, said.err
    assert [model["input"] for model in said.document["models"] if not model["sentinel"]] == [[3, 16, 12]] * 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--input", "image=1x3x16x16"),
        ("--input", "input=2x3x16x16"),
        ("--input", "input=1x3x16x16", "--input-shape", "3,16,16"),
    ],
)
def test_a_kit_is_of_networks_that_take_one_input(mistake, arguments):
    message = mistake(*KIT, *arguments)
    assert " ".join(arguments[:2]) in message
    assert "write --input-shape SIZES or --input input=1xSIZES" in message


def test_a_kits_networks_take_what_the_task_gives(mistake):
    message = mistake(*KIT, "--input-shape", "16000")
    assert (
        "input shape 16000: give a size each of channel, height, width, as the inputs of task digits have them"
        in message
    )


def test_models_of_the_users_own_are_carried_measured_and_calibrated_on(run, run_script, quieten, sound, text, here):
    shapes = ("--input", "tokens=12x1", "--input", "temperature=scalar", "--input", "x=1x4000")
    said = run("hw", "kit", "sound.onnx", "text.onnx", "--hw", "x86-server", "-n", "5", *shapes, "--json")
    assert said.code == 0, said.err
    own = {model["name"]: model for model in said.document["models"] if model["inputs"]}
    assert own["sound"]["inputs"] == {"x": {"shape": [1, 4000], "type": "float32"}}
    assert own["text"]["inputs"]["tokens"] == {"shape": [12, 1], "type": "int64"}
    assert own["text"]["inputs"]["memory:0"] == {"shape": [1, 8], "type": "float16"}
    run_script(here / "kit")
    quieten(here / "kit")
    said = run("hw", "calibrate", "--from", "kit/results.jsonl", "--name", "mine", "--json")
    assert said.code == 0, said.err
    assert {"sound", "text"} < {network["model"] for network in said.document["networks"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("text.onnx", "--input", "rows=4"), "unknown input 'rows'"),
        (("text.onnx",), "text.onnx: axis 0 of input 'tokens'"),
        (("text.onnx", "text.onnx", "--input", "tokens=3x1"), "two of the models are called text"),
        (("absent.onnx",), "absent.onnx"),
        (("text.onnx", "--study", "mine"), "a model of your own does not go with --study"),
    ],
)
def test_a_model_that_a_kit_cannot_carry_is_told(mistake, text, here, arguments, words):
    assert words in mistake(*KIT, *arguments)
    assert not (here / "kit").exists()
