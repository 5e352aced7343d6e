"""What tests of stopped and resumed runs share: where they stop, and what of their state decides the steps to come."""

import torch

FINE_TUNING = {
    "label_smoothing": 0.1,
    "ema": 0.9,
    "layer_decay": 0.7,
    "freeze": 0.4,  # of 15 steps the first 6
    "batch_norm": "reestimated",
    "clip": 1.0,
}


def stop_after(steps):
    """A ``should_stop`` that lets so many steps through."""
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def state(path):
    """What decides the steps to come; the time that they took does not."""
    return {name: value for name, value in torch.load(path, weights_only=True).items() if name != "seconds"}


def flat(value):
    """Tensors and plain values of a nested state, by path."""
    if isinstance(value, dict):
        return {f"{key}/{inner}": leaf for key, part in value.items() for inner, leaf in flat(part).items()}
    if isinstance(value, list):
        return flat(dict(enumerate(value)))
    return {"": value}


def assert_same_state(left, right):
    left, right = flat(state(left)), flat(state(right))
    assert left.keys() == right.keys()
    for path, value in left.items():
        same = torch.equal(value, right[path]) if isinstance(value, torch.Tensor) else value == right[path]
        assert same, path


def with_train(recipe, fields):
    """A recipe with fields of ``train`` replaced."""
    return recipe.with_(train=recipe.train.model_dump(exclude_none=True) | fields)
