"""Examples that lie on disk are read ahead of the run, and change nothing in it."""

from __future__ import annotations

import dataclasses
import threading
import time
from contextlib import closing

import pytest
import torch
from on_disk import OnDisk

from automl_kd.core import Interrupted
from automl_kd.distillation import distill
from automl_kd.distillation.feed import ahead
from automl_kd.tasks import Split

LOSSES = {"kd": {"weight": 1}, "hint": {"weight": 1}}
ENOUGH = 5.0


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def weights_of(outcome):
    return torch.cat([value.flatten().double() for value in outcome.student.state_dict().values()])


@pytest.fixture
def stored(few, tmp_path):
    train = dataclasses.replace(few.train, inputs=OnDisk.written(tmp_path / "train.npy", few.train.tensor))
    return dataclasses.replace(few, train=train)


@pytest.mark.parametrize("targets", ["live", "cache-fp32"])
def test_a_run_from_disk_is_the_run_from_memory_and_goes_on_where_it_was_stopped(
    make, few, stored, teacher, tmp_path, targets
):
    recipe = make(LOSSES, targets=targets, augment=["crop", "flip"])
    expected = distill(recipe, few, teacher, device="cpu", cache=tmp_path / "memory")
    through = distill(recipe, stored, teacher, device="cpu", cache=tmp_path / "disk")
    assert torch.equal(weights_of(through), weights_of(expected))
    assert (through.losses, through.score) == (expected.losses, expected.score)

    steps = iter(range(8))
    with pytest.raises(Interrupted):
        distill(
            recipe,
            stored,
            teacher,
            device="cpu",
            cache=tmp_path / "disk",
            checkpoint=tmp_path / "run.pt",
            should_stop=lambda: next(steps) == 7,
        )
    assert not threads(), "the thread of a run that was stopped has ended"
    resumed = distill(recipe, stored, teacher, device="cpu", cache=tmp_path / "disk", checkpoint=tmp_path / "run.pt")
    assert torch.equal(weights_of(resumed), weights_of(expected))


def test_a_file_that_cannot_be_read_ends_the_run(make, stored):
    (stored.train.inputs.path).unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.npy"):
        distill(make(), stored, None, device="cpu")
    assert not threads()


def test_large_examples_are_answered_a_few_at_a_time_and_small_ones_as_asked():
    large, small = (torch.zeros(1).expand(300, 3, size, size) for size in (224, 32))
    sizes = [len(batch) for batch in Split(large, torch.zeros(300)).batches(256)]
    assert sum(sizes) == 300
    assert 16 <= max(sizes) * 3 * 224**2 * 4 / 2**20 <= 32, "megabytes as a network takes them"
    assert [len(batch) for batch in Split(small, torch.zeros(300)).batches(256)] == [256, 44]


class TestReadingAhead:
    def test_the_order_is_kept_and_nothing_is_lost(self):
        assert list(ahead(lambda each: each * 2, range(50), 3)) == list(range(0, 100, 2))

    def test_it_reads_before_it_is_asked_but_only_so_far(self):
        read = []
        with closing(ahead(lambda each: read.append(each) or each, range(50), 3)) as values:
            for value in (next(values), next(values)):
                until = time.monotonic() + ENOUGH
                while len(read) < value + 4 and time.monotonic() < until:
                    time.sleep(0.001)
            assert read == [0, 1, 2, 3, 4], "two that were asked for, and three more"
        assert len(read) == 5
        assert not threads()

    def test_an_error_comes_where_its_turn_is(self):
        values = ahead(lambda each: 1 // (3 - each), range(9), 5)
        assert [next(values) for _ in range(3)] == [0, 0, 1]
        with pytest.raises(ZeroDivisionError):
            next(values)
        assert not threads()
