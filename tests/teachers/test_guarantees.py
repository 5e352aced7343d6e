"""What holds for every teacher, whatever is done with it."""

import pytest
import torch
from teacher_cases import SHAPE, SIGNATURE, small_task, tiny_vit, trained_module
from torch import nn

from automl_kd.tasks import TeacherInput
from automl_kd.teachers import MultiTeacher, ProgramTeacher, load_teacher, module_teacher


def _program(folder, spec):
    program = torch.export.export(trained_module(), (torch.randn(2, *SHAPE),))
    torch.export.save(program, folder / "t.pt2")
    return load_teacher(ProgramTeacher(program=str(folder / "t.pt2"), input=spec), small_task())


@pytest.fixture(scope="module", params=["student", "transformer", "program", "several"])
def teacher(request, tmp_path_factory):
    match request.param:
        case "student":
            return module_teacher(trained_module().train(), SIGNATURE)
        case "transformer":
            return module_teacher(tiny_vit().train(), SIGNATURE)
        case "program":
            return _program(tmp_path_factory.mktemp("program"), TeacherInput(mean=(0.4,), std=(0.2,)))
        case _:
            return MultiTeacher([module_teacher(trained_module(seed), SIGNATURE) for seed in (0, 1)])


def _modules(teacher):
    """Every network within a teacher, found from outside as a debugger would find it."""
    seen, waiting, found = set(), [teacher], []
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, nn.Module):
            found.append(thing)
        elif hasattr(thing, "__dict__"):
            waiting.extend(vars(thing).values())
        elif isinstance(thing, list | tuple):
            waiting.extend(thing)
    return found


def test_using_it_neither_changes_it_nor_leaves_anything_behind(teacher):
    modules = _modules(teacher)
    assert modules
    before = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in modules]
    hooks = [len(each._forward_hooks) for module in modules for each in module.modules()]
    images = torch.randn(5, *SHAPE, requires_grad=True)
    answered = []
    for _ in range(2):
        outputs = teacher.outputs(images, teacher.stage_names())
        teacher.feature_shapes()
        teacher.head()
        teacher.input_gradients(images)
        answered.append(outputs.logits)
        assert not outputs.logits.requires_grad
        assert not any(features.requires_grad for features in outputs.maps.values())
    assert torch.equal(*answered)
    assert images.grad is None
    for module, state in zip(modules, before, strict=True):
        assert not any(each.training for each in module.modules())
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert all(parameter.grad is None for parameter in module.parameters())
        assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert [len(each._forward_hooks) for module in modules for each in module.modules()] == hooks == [0] * len(hooks)


def test_hooks_are_gone_after_an_error():
    teacher = module_teacher(trained_module(), SIGNATURE)
    with pytest.raises(RuntimeError):
        teacher.outputs(torch.randn(2, 3, 8, 8), ["stage1"])
    (module,) = _modules(teacher)
    assert not any(each._forward_hooks for each in module.modules())


def test_its_maps_have_the_shapes_that_are_stated(teacher):
    maps = teacher.outputs(torch.randn(3, *SHAPE), teacher.stage_names()).maps
    assert {name: tuple(features.shape[1:]) for name, features in maps.items()} == teacher.feature_shapes()
    assert maps


def test_going_to_another_device_makes_a_copy():
    teacher = module_teacher(trained_module(), SIGNATURE)
    moved = teacher.to("meta")
    assert moved is not teacher
    assert moved.device.type == "meta"
    assert (moved.sha256, moved.feature_shapes()) == (teacher.sha256, teacher.feature_shapes())
    assert teacher.to("cpu") is teacher
    images = torch.randn(2, *SHAPE)
    assert torch.isfinite(teacher.outputs(images).logits).all()
    several = MultiTeacher([teacher, teacher])
    assert several.to("cpu") is several
    assert several.to("meta").device.type == "meta"
    assert several.device.type == "cpu"
