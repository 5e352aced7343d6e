import json
import sys

import pytest
import torch
from teacher_cases import SHAPE, SIGNATURE, STUDENT, trained_module

from automl_kd.core import UserError
from automl_kd.students import Brought, build
from automl_kd.teachers import TeacherStore

KEY = "k" * 64


def test_what_is_kept_is_found_again_by_another_store(tmp_path):
    module = trained_module()
    kept = TeacherStore(tmp_path).keep(KEY, STUDENT, SIGNATURE, module, {"test_accuracy": 0.99})
    images = torch.randn(6, *SHAPE)
    with torch.no_grad():
        expected = module(images)
    for found in (TeacherStore(tmp_path).find(KEY), TeacherStore(tmp_path).by_hash(kept.sha256)):
        assert found is not None
        assert found.sha256 == kept.sha256
        assert found.signature == SIGNATURE
        torch.testing.assert_close(found.outputs(images).logits, expected)
    record = json.loads((tmp_path / f"{kept.sha256}.json").read_text())["record"]
    assert record["facts"] == {"test_accuracy": 0.99}


def test_what_was_never_kept_is_absent(tmp_path):
    store = TeacherStore(tmp_path)
    assert store.find(KEY) is None
    assert store.by_hash("0" * 64) is None
    assert store.by_hash("../../etc/passwd") is None


def test_the_default_folder_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path))
    kept = TeacherStore().keep(KEY, STUDENT, SIGNATURE, trained_module(), {})
    assert (tmp_path / "teachers" / f"{kept.sha256}.safetensors").is_file()


@pytest.mark.parametrize("position", [0.02, 0.5, -1])
@pytest.mark.parametrize("ending", ["safetensors", "json"])
def test_a_flipped_bit_anywhere_makes_a_teacher_absent_until_it_is_kept_again(tmp_path, ending, position):
    store = TeacherStore(tmp_path)
    module = trained_module()
    kept = store.keep(KEY, STUDENT, SIGNATURE, module, {"note": "x" * 400})
    file = tmp_path / f"{kept.sha256}.{ending}"
    content = bytearray(file.read_bytes())
    content[-1 if position == -1 else int(len(content) * position)] ^= 0x04
    file.write_bytes(content)

    assert store.find(KEY) is None
    assert not file.exists()
    assert (tmp_path / f"{file.name}.damaged").read_bytes() == bytes(content)
    assert store.keep(KEY, STUDENT, SIGNATURE, module, {}).sha256 == kept.sha256
    found = store.find(KEY)
    assert found is not None
    assert found.sha256 == kept.sha256


def test_a_damaged_key_is_absent(tmp_path):
    store = TeacherStore(tmp_path)
    store.keep(KEY, STUDENT, SIGNATURE, trained_module(), {})
    for content in (b"", b"\xff\xfe", b"0" * 64, b"z" * 5000):
        (tmp_path / "keys" / KEY).write_bytes(content)
        assert store.find(KEY) is None


def test_looking_up_leaves_the_seed_alone(tmp_path):
    store = TeacherStore(tmp_path)
    store.keep(KEY, STUDENT, SIGNATURE, trained_module(), {})
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert store.find(KEY) is not None
    assert torch.equal(torch.get_rng_state(), before)


def test_a_teacher_whose_library_is_not_installed_here_is_no_damaged_one(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    vit = {"img_size": 8, "patch_size": 4, "depth": 1, "embed_dim": 8, "num_heads": 2, "in_chans": 1}
    student = Brought(
        family="brought", library="timm", network={"architecture": "vit_tiny_patch16_224", "arguments": vit}
    )
    store = TeacherStore(tmp_path)
    kept = store.keep(KEY, student, SIGNATURE, build(student, SIGNATURE), {})
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="needs the package timm, which is not installed"):
        store.find(KEY)
    monkeypatch.setitem(sys.modules, "timm", timm)
    assert store.find(KEY).sha256 == kept.sha256
