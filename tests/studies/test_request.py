"""What a search may be asked for: mistakes are told before anything starts."""

import pytest

from automl_kd.core import UserError
from automl_kd.studies.request import SearchRequest


def request(**more):
    return SearchRequest(**({"hw": "jetson-nano", "budget": "3m"} | more))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"budget": "soon"}, "budget 'soon': write a duration"),
        ({"budget": 0}, "budget 0: must be above zero"),
        ({"budget": float("nan")}, "must be above zero"),
        ({"extend": "later"}, "extend 'later': write a duration"),
        ({"max_latency": "fast"}, "max_latency 'fast'"),
        ({"max_params": -5}, "max_params -5"),
        ({"max_memory": "much"}, "max_memory 'much'"),
        ({"max_disk": "2 rooms"}, "max_disk '2 rooms'"),
        ({"workers": -1}, "workers -1: must be at least 0"),
        ({"seed": -1}, "seed -1: must be from 0 to"),
        ({"device": "tpu"}, "device 'tpu': write auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_told_when_the_request_is_made(wrong, message):
    with pytest.raises(UserError, match=message):
        request(**wrong)


def test_a_request_reads_its_quantities():
    asked = request(
        budget="1h30m", extend="2h", max_latency="4ms", max_params="100k", max_memory="4MiB", max_disk="2GB"
    )
    assert (asked.seconds, asked.extension, asked.disk) == (5400, 7200, 2e9)
    assert asked.limits.document() == {
        "max_latency_ms": 4,
        "max_params": 100_000,
        "max_memory_bytes": 4 * 2**20,
    }


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({}, "digits-jetson-nano"),
        ({"task": "data/cam.yaml", "space": "./mine.yml", "hw": "boards/tx2.yaml"}, "cam-tx2-mine"),
        ({"study": "cam"}, "cam"),
    ],
)
def test_a_study_is_named_after_task_device_and_space_or_as_the_user_says(more, name):
    assert request(**more).name == name
