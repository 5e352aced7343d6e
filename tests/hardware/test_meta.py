"""Shapes computed here are PyTorch's own, and building without numbers builds the same modules."""

from __future__ import annotations

import nets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from automl_kd.hardware.kernels.meta import OnMeta, outcome
from automl_kd.hardware.kernels.trace import trace

aten = torch.ops.aten
few = st.integers(1, 3)
pair = st.tuples(few, few).map(list)


def empty(*shape, dtype=torch.float32):
    return torch.empty(*shape, dtype=dtype, device="meta")


def same(func, *args):
    """Whether our result has the shapes and types of PyTorch's, or fails where PyTorch fails."""
    name = func.overloadpacket.__name__
    try:
        expected = func(*args)
    except (RuntimeError, IndexError) as error:
        with pytest.raises(type(error)):
            outcome(func, name, args, {})
        return
    found = outcome(func, name, args, {})
    if isinstance(expected, torch.Tensor):
        expected, found = (expected,), (found,)
    assert [(each.shape, each.dtype) for each in found] == [(each.shape, each.dtype) for each in expected]
    assert all(each.is_meta for each in found)


@settings(deadline=None)
@given(
    *(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 3]), st.sampled_from([2, 4, 6])),
    *(st.integers(1, 12), st.integers(1, 12), pair, pair, pair, pair),
)
def test_convolutions(groups, per_group, outputs, height, width, window, stride, padding, dilation):
    x, weight = empty(2, groups * per_group, height, width), empty(outputs, per_group, *window)
    for transposed in (False, True):
        same(aten.convolution.default, x, weight, None, stride, padding, dilation, transposed, [0, 0], groups)
    same(aten.convolution.default, x[0], weight[0], None, stride[:1], padding[:1], dilation[:1], False, [0], groups)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), pair, st.one_of(pair, st.just([])), pair, pair, st.booleans())
def test_max_pooling(height, width, window, stride, padding, dilation, ceil):
    same(aten.max_pool2d_with_indices.default, empty(2, 3, height, width), window, stride, padding, dilation, ceil)


@settings(deadline=None)
@given(st.lists(few, min_size=1, max_size=4), st.lists(few, max_size=4))
def test_sums_and_products_broadcast(left, right):
    for func in (aten.add.Tensor, aten.mul.Tensor):
        same(func, empty(left), empty(right))
        same(func, empty(left), empty(right, dtype=torch.int64))
        same(func, empty(left), 2)


@settings(deadline=None)
@given(st.lists(few, min_size=1, max_size=4), st.lists(st.integers(-5, 4), max_size=3), st.booleans())
def test_means(shape, axes, keep):
    same(aten.mean.dim, empty(shape), axes, keep)


@settings(deadline=None)
@given(few, few, few, few, few)
def test_matrix_products(rows, depth, other, columns, summand):
    same(aten.addmm.default, empty(summand), empty(rows, depth), empty(other, columns))
    same(aten.addmm.default, empty(rows, columns), empty(rows, depth), empty(other, columns))


def test_activations_and_normalisations():
    x, vector = empty(2, 3, 4, 4), empty(3)
    for func in (aten.relu, aten.hardtanh, aten.hardsigmoid, aten.hardswish, aten.sigmoid, aten.silu, aten.tanh):
        same(func.default, x)
    statistics = (vector, vector, vector, vector)
    (ours, *_) = outcome(aten.native_batch_norm.default, "native_batch_norm", (x, *statistics, False, 0.1, 1e-5), {})
    assert ours.shape == x.shape


@pytest.mark.parametrize("family", nets.FAMILIES)
def test_a_module_built_without_numbers_has_the_same_parts(family):
    state = torch.random.get_rng_state()
    with OnMeta():
        empty_module = nets.FAMILIES[family]()
    assert torch.equal(torch.random.get_rng_state(), state)
    full = nets.FAMILIES[family]()
    described = [
        {name: (value.shape, value.dtype) for name, value in module.state_dict().items()}
        for module in (empty_module, full)
    ]
    assert described[0] == described[1]
    assert all(value.is_meta for value in empty_module.state_dict().values())


def test_a_compiled_module_is_traced_as_it_was_written():
    module = nets.basic()
    assert trace(torch.compile(module), (3, 32, 32)).ops == trace(module, (3, 32, 32)).ops


def test_real_tensors_are_initialised_all_the_same():
    with OnMeta():
        weight = nn.init.constant_(torch.empty(3, device="cpu"), 2.0)
    assert weight.tolist() == [2, 2, 2]
