"""What a module executes, operator by operator."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.hardware import Kind
from automl_kd.hardware.kernels.trace import trace


class Function(nn.Module):
    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


def operators(function, shape, *parts):
    return trace(Function(function, *parts), shape).live().ops


def kinds(function, shape, *parts):
    return Counter(op.kind for op in operators(function, shape, *parts))


def heads(x, enter):
    """Queries, keys and values of 4 heads, from one product."""
    return enter(x).view(*x.shape[:2], 3, 4, -1).permute(2, 0, 3, 1, 4).unbind(0)


def test_attention_is_two_products_unless_a_kernel_is_called_by_name():
    enter, aten = nn.Linear(16, 48), torch.ops.aten

    def joined(values):
        return values.transpose(1, 2).reshape(1, 12, 16)

    written_out = operators(
        lambda x, part: joined(functional.scaled_dot_product_attention(*heads(x, part))), (12, 16), enter
    )
    flops = [op.flops for op in written_out if op.kind is Kind.ATTENTION]
    assert flops == [2 * 12 * 12 * 16] * 2
    for attend in (
        lambda q, k, v: aten._scaled_dot_product_efficient_attention(q, k, v, None, False)[0],
        lambda q, k, v: aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[0],
    ):
        graph = trace(Function(lambda x, part, attend=attend: joined(attend(*heads(x, part))), enter), (12, 16)).live()
        # Parts of one product are read where they lie, and heads are written side by side.
        assert [op.kind for op in graph.ops] == [Kind.DENSE, Kind.ATTENTION]
        assert graph.ops[1].flops == sum(flops)
        assert {*graph.ops[1].inputs} == {*graph.ops[0].outputs}
        assert graph.shapes[graph.outputs[0]] == (1, 12, 16)


@pytest.mark.parametrize(
    ("rnn", "gates", "states"), [(nn.LSTM, 4, 2), (nn.GRU, 3, 1), (nn.RNN, 1, 1)], ids=["lstm", "gru", "rnn"]
)
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers_in_closed_form(rnn, gates, states, both):
    """Per step and direction: one product with the input and one with the state for every gate."""
    layer = rnn(6, 8, num_layers=2, bidirectional=both, batch_first=True)
    found = [op for op in operators(lambda x, part: part(x)[0], (12, 6), layer) if op.kind is Kind.RECURRENT]
    directions = 2 if both else 1
    weights = [gates * 8 * (inputs + 8) for inputs in (6, 8 * directions) for _ in range(directions)]
    assert [op.weights for op in found] == weights
    assert [op.flops for op in found] == [2 * 12 * count for count in weights]
    assert [op.vector for op in found] == [2 * gates * 8] * len(weights)
    assert all(len(op.outputs) == 1 + states for op in found)
    total = sum(op.weights + op.vector for op in found)
    assert total == sum(parameter.numel() for parameter in layer.parameters())


def test_recurrent_layers_keep_their_shapes():
    for layer, shape in ((nn.LSTM(6, 8, batch_first=True, bidirectional=True), (12, 6)), (nn.GRU(6, 8), (12, 6))):
        expected = layer(torch.zeros(1, *shape))[0].shape
        graph = trace(Function(lambda x, part: part(x)[0], layer), shape)
        assert graph.shapes[graph.outputs[0]] == expected


def test_initial_states_that_are_computed_stay_on_the_path():
    def decode(x, lin, rnn):
        state = lin(x.mean(1)).unsqueeze(0)
        return rnn(x, state)[0]

    assert kinds(decode, (12, 6), nn.Linear(6, 8), nn.GRU(6, 8, batch_first=True))[Kind.DENSE] == 1


def test_cells_in_a_loop_are_counted_step_by_step():
    def loop(x, cell):
        state = None
        for step in x.unbind(1):
            state = cell(step, state)
        return state[0]

    ops = operators(loop, (5, 6), nn.LSTMCell(6, 8))
    assert sum(op.flops for op in ops) == 2 * 5 * 32 * (6 + 8) - 2 * 32 * 8  # the first state is a constant
    assert Kind.OTHER not in {op.kind for op in ops}


def test_tokens_are_integers_and_images_are_not():
    embedded = nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(96, 5))
    lookup, product = trace(embedded, (12,)).live().ops
    assert (lookup.kind, lookup.weights, lookup.work) == (Kind.EMBEDDING, 400, 96)
    assert product.flops == 2 * 96 * 5
    bag = trace(nn.EmbeddingBag(50, 8), (12,)).live()
    assert [op.kind for op in bag.ops] == [Kind.EMBEDDING]
    with pytest.raises(UserError, match=r"Sequential does not run on an input of shape \(13,\)"):
        trace(embedded, (13,))


def test_attention_is_a_product_of_two_activations():
    ops = operators(lambda x: functional.scaled_dot_product_attention(x, x, x), (4, 10, 8))
    products = [op for op in ops if op.kind is Kind.ATTENTION]
    assert [(op.flops, op.weights) for op in products] == [(2 * 4 * 10 * 10 * 8, 0)] * 2
    assert Counter(op.kind for op in ops)[Kind.SOFTMAX] == 1


def test_transpositions_in_a_row_are_one():
    assert kinds(lambda x: x.transpose(1, 2).transpose(2, 3) + 1, (4, 5, 6))[Kind.COPY] == 1
    assert kinds(lambda x: x.transpose(1, 2).transpose(1, 2) + 1, (4, 5, 6))[Kind.COPY] == 0
    assert kinds(lambda x: x.permute(0, 2, 1).reshape(1, 5, 2, 2).transpose(1, 2) + 1, (4, 5))[Kind.COPY] == 2
    assert kinds(lambda x: x.transpose(1, 2) + 1, (1, 7))[Kind.COPY] == 0  # nothing moves along an axis of one


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, Kind.CONV3X3),
        ({"stride": 2}, Kind.CONV),
        ({"dilation": 2}, Kind.CONV),  # Winograd's algorithm needs neighbours
        ({"groups": 2}, Kind.GROUPED),
        ({"groups": 8}, Kind.DEPTHWISE),
    ],
)
def test_kinds_of_convolutions(settings, kind):
    (op,) = operators(lambda x, part: part(x), (8, 9, 9), nn.Conv2d(8, 8, 3, **settings))
    assert op.kind is kind


def test_convolutions_with_computed_weights_have_none_of_their_own():
    def dynamic(x, lin):
        weight = lin(x.mean((2, 3))).view(5, 4, 3, 3)
        return functional.conv2d(x, weight)

    ops = operators(dynamic, (4, 8, 8), nn.Linear(4, 180))
    assert [(op.type, op.weights) for op in ops] == [("mean", 0), ("dense", 720), ("conv", 0)]
    assert ops[-1].flops == 2 * 5 * 36 * 36


@pytest.mark.parametrize(
    ("function", "work"),
    [
        (lambda x: functional.max_pool2d(x, 3, 2), 9 * 4 * 9),
        (lambda x: functional.avg_pool2d(x, (2, 4)), 8 * 4 * 4 * 2),
        (lambda x: functional.adaptive_avg_pool2d(x, 4), 4 * 64),
        (lambda x: functional.adaptive_max_pool2d(x, 1), 4 * 64),
        (lambda x: x.mean((2, 3)), 4 * 64),
        (lambda x: x.sum(), 4 * 64),
        (lambda x: functional.max_pool1d(x.flatten(2), 2), 2 * 4 * 32),
        (lambda x: x * 3, 4 * 64),
        (lambda x: functional.softmax(x, 1), 4 * 64),
        (lambda x: functional.interpolate(x, scale_factor=2.0), 0),
        (lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"), 4 * 4 * 256),
        (lambda x: x.transpose(1, 2), 0),
        (lambda x: x.cumsum(1), 4 * 64),  # unknown operators cost something too
    ],
)
def test_elementary_operations(function, work):
    assert sum(op.work for op in operators(function, (4, 8, 8))) == work


def test_statistics_of_the_input_do_not_fold():
    norms = [nn.BatchNorm2d(4), nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4, affine=True)]
    types = [[op.type for op in operators(lambda x, norm: norm(x), (4, 8, 8), norm)] for norm in norms]
    assert types == [["batchnorm"], ["instancenorm"], ["instancenorm"]]


@pytest.mark.parametrize("fill", [torch.zeros, torch.ones, torch.empty])
def test_what_is_written_into_a_constant_is_computed(fill):
    def assemble(x, part):
        out = fill(1, 4, 6, 6)
        out[:, :2] = part(x)
        return out

    assert kinds(assemble, (3, 8, 8), nn.Conv2d(3, 2, 3))[Kind.CONV3X3] == 1


def test_all_results_of_an_unknown_operator_depend_on_its_input():
    ops = operators(lambda x: x.topk(3).indices + 1, (9,))
    assert [op.kind for op in ops] == [Kind.OTHER, Kind.ELEMENTWISE]
    assert ops[0].type == "topk"


def test_constants_cost_nothing():
    assert not operators(lambda x: torch.arange(12).view(3, 4).sqrt(), (3, 4))
    graph = trace(Function(lambda x: torch.ones(3)), (3, 4))
    assert graph.outputs == ()


def test_outputs_have_the_shape_of_their_last_view():
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Unflatten(1, (2, 128))), (3, 8, 8))
    assert graph.shapes[graph.outputs[0]] == (1, 2, 128)
    graph = trace(nn.Linear(6, 5), (7, 6))
    assert graph.shapes[graph.outputs[0]] == (1, 7, 5)


def test_packed_sequences_depend_on_values():
    def packed(x, rnn):
        lengths = x[:, :, 0].gt(0).sum(1)
        return rnn(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))[1]

    with pytest.raises(UserError, match=r"Function does not run on an input of shape \(12, 6\)"):
        operators(packed, (12, 6), nn.GRU(6, 8, batch_first=True))


def test_several_inputs_by_name():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.cell = nn.Embedding(20, 6), nn.GRU(6, 5)

        def forward(self, tokens, scale):
            return self.cell(self.table(tokens) * scale)[0]

    graph = trace(Two(), None, {"tokens": (9, 2), "scale": (9, 2, 1)})
    assert [graph.shapes[value] for value in graph.inputs] == [(9, 2), (9, 2, 1)]
    (layer,) = [op for op in graph.ops if op.kind is Kind.RECURRENT]
    assert layer.flops == 2 * 9 * 2 * 15 * (6 + 5)
    with pytest.raises(UserError, match=r"does not run on inputs of shape tokens=\(9, 2\), other=\(9,\): .*'other'"):
        trace(Two(), None, {"tokens": (9, 2), "other": (9,)})
