"""Who names no search space gets one for inputs like the task's, and keeps the one that the study was begun with."""

from types import SimpleNamespace

import pytest

from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.storage import StudyRecord
from automl_kd.studies.default_space import with_space
from automl_kd.studies.request import SearchRequest

HERE = {"hw": "jetson-nano", "budget": "3m", "task": "cam.yaml"}


def task(signature):
    return SimpleNamespace(signature=signature)


def images(pixels):
    return task(Signature.of_images((3, pixels, pixels), 10))


def of_axes(*axes):
    return task(Signature(Input("input", (16,) * len(axes), axes), Output("logits", 10, "categorical")))


@pytest.mark.parametrize(
    ("task", "space"),
    [
        (images(8), "tiny_cnn"),
        (images(48), "tiny_cnn"),
        (images(224), "mobile_cnn"),
        (of_axes(*TEXT_AXES), "tiny_text"),
    ],
)
def test_the_task_chooses_the_space_and_its_name_tells(database, task, space):
    request, why = with_space(SearchRequest(**HERE), task, database)
    assert (request.space, request.name) == (space, f"cam-jetson-nano-{space}")
    assert why.startswith(f"{space}: for ")


def test_a_space_that_was_named_is_kept_without_a_word(database):
    request = SearchRequest(**HERE, space="tiny_resnet")
    assert with_space(request, images(8), database) == (request, "")


@pytest.mark.parametrize(("named", "study"), [({"study": "mine"}, "mine"), ({}, "cam-jetson-nano-tiny_cnn")])
def test_a_study_that_was_begun_goes_on_in_its_own_space(database, named, study):
    settings = {"task": "cam.yaml", "space": "tiny_cnn", "hw": "jetson-nano"}
    database.save_study(StudyRecord(study, {"teacher": "ab"}, settings, 180.0))
    request, why = with_space(SearchRequest(**HERE, **named), images(224), database)
    assert (request.space, request.name) == ("tiny_cnn", study)
    assert f"study {study} was begun with it" in why


def test_inputs_that_no_space_is_for_ask_for_one(database):
    with pytest.raises(UserError, match="--space"):
        with_space(SearchRequest(**HERE), of_axes("channel", "time"), database)
