"""Files of integers and of half floats are priced and sized as what they hold, or it is said why not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from automl_kd.hardware import Kind, load_profile

SHAPE = (1, 32, 24, 24)


@pytest.fixture(scope="module")
def x86():
    return load_profile("x86-server:onnxruntime")


@pytest.fixture(scope="module")
def hexagon():
    return load_profile("snapdragon-8-elite:qnn-w8a16")


@pytest.fixture(scope="module")
def jetson():
    return load_profile("jetson-nano")


def weights(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def layers(path, middle=(), element=np.float32):
    """Two convolutions with something between them, and a matrix product."""
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["first"], pads=[1] * 4, name="first"),
        helper.make_node("Relu", ["first"], ["r"], name="r"),
        *middle,
        helper.make_node(
            "Conv", [middle[-1].output[0] if middle else "r", "b"], ["second"], pads=[1] * 4, name="second"
        ),
        helper.make_node("GlobalAveragePool", ["second"], ["mean"], name="mean"),
        helper.make_node("Flatten", ["mean"], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "c"], ["out"], name="out"),
    ]
    arrays = {"a": weights(64, 32, 3, 3), "b": weights(64, 64, 3, 3), "c": weights(64, 400)}
    tensors = [numpy_helper.from_array(array.astype(element), name) for name, array in arrays.items()]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    x, out = (helper.make_tensor_value_info(n, kind, s) for n, s in (("x", SHAPE), ("out", (1, 400))))
    graph = helper.make_graph(nodes, "graph", [x], [out], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class Calibration(CalibrationDataReader):
    def __init__(self):
        self.left = iter([{"x": np.random.default_rng(0).random(SHAPE).astype(np.float32)}] * 2)

    def get_next(self):
        return next(self.left, None)


def quantised(path, form=QuantFormat.QDQ, middle=()):
    plain = layers(path.with_suffix(".float.onnx"), middle)
    quantize_static(plain, path, Calibration(), quant_format=form, weight_type=QuantType.QInt8)
    return plain, path


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_a_runtime_with_kernels_of_integers_gains_by_them(x86, tmp_path, form):
    plain, integers = map(x86.predict, quantised(tmp_path / "net.onnx", form))
    assert 0.2 < integers.ms / plain.ms < 0.6
    assert integers.memory_bytes < 0.4 * plain.memory_bytes
    assert integers.high / integers.low > 1.2 * plain.high / plain.low  # the gain is a rule, not a measurement
    assert integers.params == pytest.approx(plain.params, rel=0.01)  # scales and zero points are kept, too
    assert plain.notes == x86.notes
    assert "priced as integers" in integers.notes[-1]


def test_a_target_of_floats_says_that_integers_count_as_floats(jetson, tmp_path):
    plain, integers = map(jetson.predict, quantised(tmp_path / "net.onnx"))
    assert (integers.ms, integers.low, integers.high) == (plain.ms, plain.low, plain.high)
    assert integers.memory_bytes < plain.memory_bytes
    assert integers.notes == ("what is quantised is priced as floats of 16 bits, and sized as stored",)


def test_a_target_of_mixed_integers_says_in_which_bits_a_quantised_file_is_priced(hexagon, tmp_path):
    plain, integers = map(hexagon.predict, quantised(tmp_path / "net.onnx"))
    assert (integers.ms, integers.memory_bytes, plain.notes) == (plain.ms, plain.memory_bytes, ())
    assert integers.notes == ("what is quantised is priced with weights of 8 bits and other numbers of 16",)


def test_a_target_of_integers_prices_both_alike(tmp_path):
    pixel = load_profile("pixel-4:tflite-int8")
    plain, integers = map(pixel.predict, quantised(tmp_path / "net.onnx"))
    assert (integers.ms, integers.memory_bytes, integers.notes) == (plain.ms, plain.memory_bytes, ())


def test_what_has_no_kernel_of_integers_is_converted_there_and_back(x86, tmp_path):
    middle = [helper.make_node("Sin", ["r"], ["s"], name="s")]
    kernels = [x86.network(quantised(tmp_path / f"{len(m)}.onnx", middle=m)[1]).kernels for m in ((), middle)]
    integer, floats = ([k.speed is not None for k in each if k.kind is not Kind.COPY] for each in kernels)
    assert sum(integer) == sum(floats)
    assert len(floats) == len(integer) + 3  # to floats, the sine, and back


def test_half_floats_are_sized_as_stored_and_priced_as_computed(x86, jetson, tmp_path):
    plain, half = (layers(tmp_path / f"{e.__name__}.onnx", element=e) for e in (np.float32, np.float16))
    on_x86, on_jetson = ([profile.predict(path) for path in (plain, half)] for profile in (x86, jetson))
    assert on_x86[0].ms == on_x86[1].ms
    assert on_x86[0].memory_bytes - on_x86[1].memory_bytes == 2 * on_x86[0].params
    assert on_x86[1].notes[-1] == "weights stored in 16 bits are priced as numbers of 32 bits, and sized as stored"
    assert on_jetson[0] == on_jetson[1]


def test_dynamic_quantisation_by_the_sign_of_its_weights(x86, tmp_path):
    """As measured: a convolution of integers with signed weights is slower than one of floats."""
    plain = layers(tmp_path / "plain.onnx")
    prices = []
    for kind in (QuantType.QInt8, QuantType.QUInt8):
        quantize_dynamic(plain, tmp_path / "net.onnx", weight_type=kind)
        prices.append(x86.predict(tmp_path / "net.onnx"))
    assert prices[0].ms > 2 * x86.predict(plain).ms > prices[1].ms


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_of_few_bits(x86, tmp_path, bits):
    """onnxruntime's product by weights in blocks of few bits."""
    inputs, outputs, block = 256, 512, 32
    packed = np.zeros((outputs, inputs // block, block * bits // 8), np.uint8)
    scales = np.ones(outputs * inputs // block, np.float32)
    more = {"K": inputs, "N": outputs, "bits": bits, "block_size": block}
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["out"], domain="com.microsoft", **more)
    x, out = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, s)) for n, s in (("x", inputs), ("out", outputs)))
    tensors = [numpy_helper.from_array(packed, "w"), numpy_helper.from_array(scales, "s")]
    graph = helper.make_graph([node], "graph", [x], [out], tensors)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "net.onnx")
    network = x86.network(tmp_path / "net.onnx")
    assert (network.flops, network.weights, network.unknown) == (2 * inputs * outputs, inputs * outputs * bits // 8, ())
