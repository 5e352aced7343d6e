"""Export, sessions and float16 files as a user meets them."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from automl_kd.core import TEXT_AXES, Input, UserError
from automl_kd.onnxio import Session, difference, export, load_model, to_half, to_int8


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.Hardswish(),
        nn.Dropout(0.5),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


@pytest.mark.parametrize("opset", [11, 13, 17, 21])
def test_file_has_the_asked_opset_and_the_modules_values(net, tmp_path, opset):
    path = export(net, tmp_path / "deep" / "net.onnx", Input.of_images((3, 16, 12)), opset)
    session = Session(path)
    assert session.opset == opset
    assert (session.input_shape, session.output_shape) == ((3, 16, 12), (5,))
    assert difference(net, path, torch.randn(7, 3, 16, 12)) < 1e-5
    assert [item.name for item in path.parent.iterdir()] == ["net.onnx"]
    graph = onnx.load(path).graph
    assert [graph.input[0].name, graph.output[0].name] == ["input", "logits"]


class Attends(nn.Module):
    """Attention as torch has it: a layer of its own, keys that are hidden, keys that come later, shared heads."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(12, 3, 16, batch_first=True)
        self.seen = nn.Buffer(torch.rand(16, 16) < 0.7)

    def forward(self, x):
        tokens = self.layer(x.flatten(2).transpose(1, 2))
        heads = tokens.view(-1, 16, 4, 3).transpose(1, 2)
        hidden = functional.scaled_dot_product_attention(heads, heads, heads, self.seen | torch.eye(16).bool())
        later = functional.scaled_dot_product_attention(hidden, heads, heads, is_causal=True, scale=0.3)
        shared = functional.scaled_dot_product_attention(later, heads[:, :2], heads[:, 1:3], enable_gqa=True)
        added = functional.scaled_dot_product_attention(shared, heads, heads, self.seen.float())
        return added.mean(2).flatten(1)


def test_attention_is_exported_to_an_opset_that_has_none(tmp_path):
    torch.manual_seed(0)
    net = Attends()
    path = export(net, tmp_path / "net.onnx", Input.of_images((12, 4, 4)), 13)
    assert difference(net, path, torch.randn(7, 12, 4, 4)) < 1e-5
    assert torch.backends.mha.get_fastpath_enabled()


def test_what_cannot_be_exported_is_one_line_and_prints_nothing(tmp_path, capfd):
    class Sorted(nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x.flatten(1)).abs()

    with pytest.raises(UserError, match=r"^cannot export Sorted with input") as refused:
        export(Sorted(), tmp_path / "net.onnx", Input.of_images((3, 4, 4)), 13)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_export_leaves_module_streams_and_random_state_alone(net, tmp_path, capfd):
    net.train()
    net[1].eval()
    flags = [part.training for part in net.modules()]
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(net, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    assert capfd.readouterr() == ("", "")
    assert [part.training for part in net.modules()] == flags
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(weights[name], value) for name, value in net.state_dict().items())


def test_value_dependent_forward_is_refused(tmp_path):
    class Depends(nn.Module):
        def forward(self, x):
            self.calls = getattr(self, "calls", 0) + 1
            return x.flatten(1) * self.calls

    with pytest.raises(UserError, match="differs from the module"):
        export(Depends(), tmp_path / "net.onnx", Input.of_images((1, 2, 2)))
    assert list(tmp_path.iterdir()) == []


def test_failed_export_keeps_the_previous_file(net, tmp_path):
    path = export(net, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    before = path.read_bytes()
    for shape, opset, said in [((4, 16, 16), 17, "cannot export Sequential"), ((3, 16, 16), 9, "allowed: 11 to 21")]:
        with pytest.raises(UserError, match=said):
            export(net, path, Input.of_images(shape), opset)
    assert path.read_bytes() == before


def test_session_batches_internally(net, tmp_path):
    path = export(net, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    x = torch.randn(150, 3, 16, 16)
    with torch.no_grad():
        expected = net.eval()(x).numpy()
    np.testing.assert_allclose(Session(path).run(x.numpy()), expected, atol=1e-5)


def test_bad_files_and_inputs_are_one_line(net, tmp_path):
    path = export(net, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    broken = tmp_path / "broken.onnx"
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    for keep in (3, 100, len(path.read_bytes()) - 7):
        broken.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(UserError, match=r"broken\.onnx"):
            Session(broken)
    for bad in (text, empty, tmp_path / "missing.onnx"):
        with pytest.raises(UserError, match=bad.name):
            Session(bad)
    with pytest.raises(UserError, match=r"expects inputs of shape \(N, 3, 16, 16\)"):
        Session(path).run(np.zeros((1, 1, 16, 16), np.float32))
    with pytest.raises(UserError, match="threads"):
        Session(path, threads=0)


def test_half_file_is_close_to_and_different_from_full_precision(net, tmp_path):
    full = export(net, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    half = to_half(full, tmp_path / "half.onnx")
    x = torch.randn(5, 3, 16, 16).numpy()
    wide, narrow = Session(full).run(x), Session(half).run(x)
    assert narrow.dtype == np.float32
    assert 0 < np.abs(wide - narrow).max() < 1e-2


def test_half_file_rounds_between_nodes(tmp_path):
    """1 + 2^-12 lies between two float16 numbers: kept exactly it survives the subtraction, rounded it is lost."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["input", "tiny"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["kept"]),
            helper.make_node("Sub", ["kept", "one"], ["logits"]),
        ],
        "rounding",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(np.array([2**-12], np.float32), "tiny"),
            numpy_helper.from_array(np.array([1], np.float32), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    full = tmp_path / "full.onnx"
    onnx.save(model, full)
    x = np.ones((2, 1), np.float32)
    assert Session(full).run(x).ravel().tolist() == [2**-12] * 2
    assert Session(to_half(full, tmp_path / "half.onnx")).run(x).ravel().tolist() == [0.0] * 2


def test_half_refuses_weights_beyond_its_range(tmp_path):
    net = nn.Linear(2, 2)
    nn.init.constant_(net.weight, 1e6)
    with pytest.raises(UserError, match="65504"):
        to_half(export(net, tmp_path / "net.onnx", Input.of_images((2,))), tmp_path / "half.onnx")


def test_int8_computes_nearly_the_same_from_integers(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1)).eval()
    full = export(net, tmp_path / "full.onnx", Input.of_images((3, 12, 12)))
    x = np.random.default_rng(0).standard_normal((32, 3, 12, 12), dtype=np.float32)
    quantised = to_int8(full, tmp_path / "int8.onnx", iter([x[:16], x[16:]]))

    before, after = (Session(path).run(x) for path in (full, quantised))
    assert after.shape == before.shape
    assert 0 < np.abs(after - before).max() < 0.1 * np.abs(before).max()
    stored = {initializer.data_type for initializer in load_model(quantised).graph.initializer}
    assert onnx.TensorProto.INT8 in stored
    again = to_int8(full, tmp_path / "again.onnx", iter([x[:16], x[16:]]))
    assert again.read_bytes() == quantised.read_bytes()

    finer = to_int8(full, tmp_path / "w8a16.onnx", iter([x[:16], x[16:]]), activation_bits=16)
    error = np.abs(Session(finer).run(x) - before).max()
    assert 0 < error < np.abs(after - before).max()  # weights are as coarse, activations finer


def test_a_network_of_ids_is_run_halved_and_quantised(tmp_path):
    torch.manual_seed(0)
    takes = Input("ids", (12,), TEXT_AXES, "int64", ids=30)
    network = nn.Sequential(nn.Embedding(30, 16), nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 3))
    full = export(network, tmp_path / "text.onnx", takes)
    assert [onnx.load(full).graph.input[0].name, Session(full).dtype] == ["ids", np.int64]
    ids = takes.noise(40, torch.Generator().manual_seed(1))
    assert difference(network, full, ids) < 1e-5
    expected = Session(full).run(ids.numpy())
    half = Session(to_half(full, tmp_path / "half.onnx")).run(ids.numpy())
    integers = Session(to_int8(full, tmp_path / "int8.onnx", [ids.numpy()])).run(ids.numpy())
    assert 0 < np.abs(half - expected).max() < 1e-2
    assert 0 < np.abs(integers - expected).max() < 0.1 * np.abs(expected).max()
