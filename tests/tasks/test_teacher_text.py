import pytest

from automl_kd.core import UserError
from automl_kd.students import ResNet
from automl_kd.tasks import TeacherInput, TrainedTeacher, found_anywhere, parse_teacher
from automl_kd.teachers import CheckpointTeacher, OnnxTeacher, ProgramTeacher, TimmTeacher, TransformersTeacher


def test_files_of_every_form():
    assert parse_teacher("a/b.onnx") == OnnxTeacher(onnx="a/b.onnx")
    assert parse_teacher("a/b.pt2") == ProgramTeacher(program="a/b.pt2")
    resnet = ResNet(family="resnet", depth=20)
    for file in ("t.pt", "a@b/t.pth", "t.safetensors"):
        parsed = parse_teacher(f"{file}@{{family: resnet, depth: 20}}")
        assert parsed == CheckpointTeacher(checkpoint=file, student=resnet)


def test_any_form_in_braces():
    assert parse_teacher("{timm: some/folder}") == TimmTeacher(timm="some/folder")
    shown = TeacherInput(size=224, channels=3)
    text = "{transformers: a, input: {size: 224, channels: 3}}"
    assert parse_teacher(text) == TransformersTeacher(transformers="a", input=shown)
    trained = parse_teacher("{train: {student: {family: resnet, depth: 8}, train: {epochs: 3}}}")
    assert isinstance(trained, TrainedTeacher)


def test_several_are_joined():
    resnet = ResNet(family="resnet", depth=20)
    first, second, third = parse_teacher("a+b.onnx + t.pt@{family: resnet, depth: 20} + {timm: 'x + y'}")
    assert (first, third) == (OnnxTeacher(onnx="a+b.onnx"), TimmTeacher(timm="x + y"))
    assert second == CheckpointTeacher(checkpoint="t.pt", student=resnet)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("a/b.onnx", ["a/b.onnx"]),
        ("t.pt@{family: resnet, depth: 20}", ["t.pt"]),
        ("{onnx: b.onnx, input: {size: [32, 16], mean: [0.5], std: [0.2]}}", ["b.onnx"]),
        ("a.onnx + {program: b.pt2} + t.pt@{family: resnet, depth: 20}", ["a.onnx", "b.pt2", "t.pt"]),
        (
            "{train: {student: {family: resnet, depth: 8}, train: {epochs: 3}, distill: {losses: {kd: {weight: 1}}},"
            " teacher: {onnx: c.onnx}}}",
            ["c.onnx"],
        ),
    ],
)
def test_found_anywhere_it_is_the_same_with_whole_paths(text, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    anywhere = found_anywhere(text)
    assert all(f"{tmp_path}/{file}" in anywhere for file in files)
    monkeypatch.chdir("/")
    assert found_anywhere(anywhere) == anywhere

    def kinds(spec):
        return [type(each) for each in (spec if isinstance(spec, tuple) else [spec])]

    assert kinds(parse_teacher(anywhere)) == kinds(parse_teacher(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t.pt", "a checkpoint needs its architecture, for example t.pt@{family: resnet, depth: 20}"),
        ("t.xyz", "should be a file ending in .pt, .pth, .safetensors"),
        ("t.onnx@{family: resnet}", "should be FILE.onnx"),
        ("t.pt2@{family: resnet}", "should be FILE.pt2"),
        ("a.onnx + b.xyz", "teacher 'b.xyz': should be a file ending in"),
        ("a.onnx + ", "teacher '': should be a file ending in"),
        ("{onnx: a.onnx, inputs: {}}", "unknown field 'inputs'; did you mean input?"),
        ("{onnx: a.onnx, input: {mean: [0.5]}}", "input: mean and std go together"),
        ("{onnx: a.onnx, input: {mean: [0.5], std: [0.1, 0.2]}}", "input: mean has 1 values and std 2"),
        ("{onnx: a.onnx, input: {mean: [0.5], std: [0]}}", "input.std.0: 0 is not allowed"),
        ("{onnx: a.onnx, input: {size: 0}}", "input.size: 0 is not allowed"),
        ("{file: a}", "a teacher is {train"),
        ("t.pt@{family: resnet, depht: 20}", "unknown field 'depht'; did you mean depth?"),
        ("t.pt@{family: resnet, depth: 21}", "student.depth: 21 is not allowed"),
        ("t.pt@{family: resnet", "not YAML"),
    ],
)
def test_mistakes_are_one_line(text, message):
    with pytest.raises(UserError) as caught:
        parse_teacher(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
