import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, small_task, trained_module

from automl_kd.core import Input, UserError
from automl_kd.onnxio import export
from automl_kd.teachers import KeptTeacher, MultiTeacher, OnnxTeacher, TeacherStore, load_teacher, module_teacher


@pytest.fixture(scope="module")
def members():
    return [module_teacher(trained_module(seed), SIGNATURE) for seed in (0, 1)]


@pytest.fixture(scope="module")
def several(members):
    return MultiTeacher(members)


@pytest.fixture
def onnx_teacher(tmp_path):
    export(trained_module(), tmp_path / "t.onnx", Input.of_images(SHAPE))
    return load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx")), small_task())


def test_the_logits_of_every_member_stand_side_by_side(several, members):
    images = torch.randn(5, *SHAPE)
    logits = several.outputs(images).logits
    assert (several.members, members[0].members) == (2, 1)
    assert logits.shape == (5, *several.logits_shape) == (5, 2, CLASSES)
    assert members[0].logits_shape == (CLASSES,)
    for number, member in enumerate(members):
        assert torch.equal(logits[:, number], member.outputs(images).logits)


def test_maps_of_the_second_member_are_numbered(several, members):
    images = torch.randn(5, *SHAPE)
    asked = ["2:stage3", "stage1", "2:stem.0.0", "stem.0.0"]
    maps = several.outputs(images, asked).maps
    assert list(maps) == asked
    assert torch.equal(maps["2:stage3"], members[1].outputs(images, ["stage3"]).maps["stage3"])
    assert torch.equal(maps["stem.0.0"], members[0].outputs(images, ["stem.0.0"]).maps["stem.0.0"])
    assert not torch.equal(maps["stem.0.0"], maps["2:stem.0.0"])
    assert several.feature_shapes(asked) == {name: tuple(features.shape[1:]) for name, features in maps.items()}


def test_students_are_paired_with_the_first_member_that_shows_stages(several, members, onnx_teacher):
    assert several.stage_names() == ("stage1", "stage2", "stage3")
    mixed = MultiTeacher([onnx_teacher, members[0]])
    assert mixed.stage_names() == ("2:stage1", "2:stage2", "2:stage3")
    assert list(mixed.feature_shapes()) == list(mixed.stage_names())
    assert MultiTeacher([onnx_teacher, onnx_teacher]).stage_names() == ()
    with pytest.raises(UserError, match=r"t\.onnx gives outputs only"):
        mixed.outputs(torch.randn(2, *SHAPE), ["stage1"])


def test_the_hash_knows_the_members_and_their_order(several, members):
    assert several.sha256 == MultiTeacher(members).sha256
    assert len({several.sha256, MultiTeacher(members[::-1]).sha256, *(member.sha256 for member in members)}) == 4


def test_input_gradients_are_the_mean_of_the_members(several, members):
    images = torch.randn(3, *SHAPE)
    expected = (members[0].input_gradients(images) + members[1].input_gradients(images)) / 2
    torch.testing.assert_close(several.input_gradients(images), expected)


def test_mistakes_are_one_line(several, members):
    with pytest.raises(UserError, match=r"teacher stage '3:stage1': there are 2 teachers"):
        several.outputs(torch.randn(2, *SHAPE), ["3:stage1"])
    with pytest.raises(UserError, match="unknown teacher stage 'stage9'; stages: stage1, stage2, stage3"):
        several.outputs(torch.randn(2, *SHAPE), ["2:stage9"])
    other = module_teacher(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5)), SIGNATURE.with_width(5))
    with pytest.raises(UserError, match=r"teacher 2 takes .* and has 5 outputs, teacher 1 .* has 3"):
        MultiTeacher([members[0], other])


def test_they_are_loaded_from_where_each_lies(tmp_path, monkeypatch, several, members):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path))
    from teacher_cases import STUDENT

    for seed in (0, 1):
        TeacherStore().keep("k" * 63 + str(seed), STUDENT, SIGNATURE, trained_module(seed), {})
    loaded = load_teacher(tuple(KeptTeacher(member.sha256) for member in members), small_task())
    assert loaded.sha256 == several.sha256
    with pytest.raises(UserError, match="teacher 000000000000 is gone from the cache or damaged"):
        load_teacher(KeptTeacher("0" * 64), small_task())
