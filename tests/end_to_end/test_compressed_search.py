"""Searches of what ships compressed: priced, scored, delivered and made again in the form that ships."""

import json
from pathlib import Path

import onnx
import onnxruntime
import pytest

from automl_kd.onnxio import Session
from automl_kd.tasks import open_task


def picks_of(compressed):
    return {pick["trial"]: (pick, Path(pick["path"])) for pick in compressed.document["picks"]}


def test_size_is_an_objective_in_which_half_weights_are_half(compressed):
    document = compressed.document
    assert [each["name"] for each in document["objectives"]] == ["accuracy", "size_bytes", "latency_ms"]
    assert document["trials"]["complete"] == 4
    assert document["trials"]["failed"] == 0
    for entry in document["front"]:
        assert entry["objectives"]["size_bytes"] == entry["size_bytes"]
        assert entry["size_bytes"] == entry["params"] * (2 if entry["recipe"]["compress"] else 4)
    lightest = min(document["front"], key=lambda entry: entry["size_bytes"])
    assert lightest["recipe"]["compress"] == [{"stage": "fp16"}]


def test_picks_are_delivered_in_the_form_that_was_scored(compressed):
    task = open_task("digits")
    inputs = task.modality.prepare(task.test.inputs).numpy()
    for pick, folder in picks_of(compressed).values():
        session = onnxruntime.InferenceSession(folder / "student.onnx", providers=["CPUExecutionProvider"])
        (logits,) = session.run(["logits"], {"input": inputs})
        right = float((logits.argmax(1) == task.test.labels.numpy()).mean())
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["accuracy"]["this_student"] == pytest.approx(right, abs=2e-3)
        assert manifest["onnx"]["max_difference"] < 1e-4
        short = bool(pick["recipe"]["compress"])
        assert (folder / "student.float.onnx").exists() == short
        types = {each.data_type for each in onnx.load(folder / "student.onnx").graph.initializer if each.dims}
        assert (onnx.TensorProto.FLOAT16 in types) == short
        assert manifest["student"].get("compress", []) == pick["recipe"]["compress"]
        beside = (pick["test_score_float"], pick["gain_over_float"], pick["shipped"]["flash"]["float_file"])
        assert [each is not None for each in beside] == [short] * 3
        assert pick["shipped"]["flash"]["file"] == (folder / "student.onnx").stat().st_size


def test_a_compressed_pick_is_exported_and_made_again_byte_for_byte(compressed, inside):
    found = [(pick, folder) for pick, folder in picks_of(compressed).values() if pick["recipe"]["compress"]]
    pick, folder = found[0]
    where = compressed.folder
    exported = inside("export", "--study", "cam", "--pick", str(pick["trial"]), "--out", "winner", cwd=where)
    assert exported.code == 0, exported.err
    again = inside("distill", "winner/recipe.yaml", "--out", "again", "--device", "cpu", cwd=where)
    assert again.code == 0, again.err
    for name in ("student.onnx", "student.float.onnx", "student.safetensors"):
        made = {(each / name).read_bytes() for each in (folder, where / "winner", where / "again")}
        assert len(made) == 1, name


def test_a_kit_of_compressed_picks_can_be_measured(compressed, inside):
    made = inside("hw", "kit", "--study", "cam", "--out", "kit", "--json", cwd=compressed.folder)
    assert made.code == 0, made.err
    assert len(list((compressed.folder / "kit").rglob("*.onnx"))) >= len(compressed.document["picks"])


@pytest.mark.long
def test_a_search_for_a_device_of_integers_ships_them_and_reports_their_score(digits_teacher, space_of_four, once):
    """The space says nothing of compress: the device decides."""
    space = space_of_four.replace("search_epochs: 4", "search_epochs: 2").partition("compress")[0]
    asked = ("--hw", "coral-edgetpu", "--fidelity", "none", "--budget", "10m", "--space", "space.yaml")
    found = once(
        "integers", ("search", *asked, "--workers", "1", "--study", "tpu", "--device", "cpu", "--json"), space=space
    )
    assert found.ended.code == 0, found.ended.err
    document, task = found.document, open_task("digits")
    assert document["understood"]["ships"].startswith("integers: quantise")
    assert document["trials"]["complete"] == 2
    assert all([each["stage"] for each in entry["recipe"]["compress"]] == ["quantise"] for entry in document["front"])
    inputs = task.modality.prepare(task.test.inputs).numpy()
    for pick in document["picks"]:
        folder = found.folder / pick["path"]
        manifest = json.loads((folder / "manifest.json").read_text())
        outputs = Session(folder / "student.onnx").run(inputs)
        right = float((outputs.argmax(1) == task.test.labels.numpy()).mean())
        assert manifest["accuracy"]["this_student"] == manifest["accuracy"]["this_student_deployed"] == right
        assert manifest["onnx"]["opset"] == 13
        assert manifest["onnx"]["bytes"] == (folder / "student.onnx").stat().st_size
        weights = [each for each in onnx.load(folder / "student.onnx").graph.initializer if len(each.dims) > 1]
        assert {each.data_type for each in weights} == {onnx.TensorProto.INT8}
        loaded = manifest["device"]["file"]
        assert loaded["name"] == "student_edgetpu.tflite"
        assert loaded["commands"][-1] == "edgetpu_compiler student.tflite"
        assert (folder / "student.tflite").exists() == ("converted" in loaded) != ("not_converted" in loaded)
