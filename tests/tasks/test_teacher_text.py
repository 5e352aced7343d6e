import pytest

from automl_kd.errors import UserError
from automl_kd.recipes import ResNet
from automl_kd.tasks import CheckpointTeacher, OnnxTeacher, parse_teacher


def test_files_of_every_form():
    assert parse_teacher("a/b.onnx") == OnnxTeacher(onnx="a/b.onnx")
    resnet = ResNet(family="resnet", depth=20)
    for file in ("t.pt", "a@b/t.pth", "t.safetensors"):
        parsed = parse_teacher(f"{file}@{{family: resnet, depth: 20}}")
        assert parsed == CheckpointTeacher(checkpoint=file, student=resnet)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t.pt", "a checkpoint needs its architecture, for example t.pt@{family: resnet, depth: 20}"),
        ("t.bin", "should be a file ending in .onnx, .pt, .pth, .safetensors"),
        ("t.onnx@{family: resnet}", "should be FILE.onnx"),
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
