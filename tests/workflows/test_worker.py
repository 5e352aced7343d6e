"""What a worker refuses, from an offer that lies in a real database."""

from dataclasses import replace

import pytest

from automl_kd.core import UserError
from automl_kd.execution import Setup
from automl_kd.execution.messages import encode_setup
from automl_kd.storage import Database, JobQueue, StudyRecord
from automl_kd.tasks import open_task
from automl_kd.workflows.worker import work


@pytest.fixture
def offer(tmp_path, digits_teacher, own_cache):
    """Offer a study of digits, changed in some way; gives the database."""

    def offer(state="open", executor="process", **changes):
        database = Database(str(tmp_path / "automl-kd.db"))
        database.save_study(StudyRecord("cam", {}, {"executor": executor}, 60.0, state=state))
        setup = Setup("digits", None, open_task("digits").sha256, None, digits_teacher, "cpu")
        with database.lease("cam") as lease:
            JobQueue(database, "cam", lease).offer(*encode_setup(replace(setup, **changes)))
        return database

    return offer


@pytest.mark.parametrize(
    ("changes", "more", "told"),
    [
        ({"data_sha256": "0" * 64}, {}, "refused: the data set here has hash .*, that of study cam 000000000000"),
        ({"executor": "ray"}, {}, "is searched with --executor ray, which no worker joins"),
        ({"device": "cuda"}, {}, "this machine has no CUDA"),
        ({"allow_code": True}, {}, "whose files would be run here; allow it with --allow-code"),
        ({}, {"teacher": "nowhere.onnx"}, "nowhere.onnx"),
        ({}, {"teacher": "{train: {student: {family: resnet, depth: 8}, train: {epochs: 3}}}"}, "a worker trains none"),
        ({}, {"workers": 0}, "must be at least 1"),
        ({}, {"trial_timeout": "soon"}, "trial_timeout"),
    ],
)
def test_what_cannot_be_compared_or_done_is_refused_and_leaves_no_mailbox(offer, changes, more, told):
    database = offer(**changes)
    with pytest.raises(UserError, match=told):
        work("cam", storage=database.url, **more)
    with database.lease("cam") as lease:
        assert JobQueue(database, "cam", lease).workers() == []


def test_a_finished_study_needs_nobody(offer):
    database = offer(state="done")
    assert work("cam", storage=database.url) == {"study": "cam", "jobs": 0}


def test_a_database_that_is_not_there_is_not_begun(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        work("cam", storage=str(tmp_path / "nowhere.db"))
    assert list(tmp_path.iterdir()) == []
