"""Files by the hash of their content, through our own functions and through Optuna's."""

import io

import optuna
import pytest
from optuna.artifacts import download_artifact, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from automl_kd.core import folder_bytes, free_bytes
from automl_kd.storage import ArtifactStore, Database


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "artifacts"


def read(store, name):
    with store.open_reader(name) as file:
        return file.read()


def content_files(folder):
    return [path for path in (folder / "content").iterdir() if path.is_file()]


def test_equal_content_is_stored_once_and_read_under_each_name(folder):
    store = ArtifactStore(folder)
    large = bytes(range(256)) * 10_000
    store.write("first", io.BytesIO(large))
    store.write("second", io.BytesIO(large))
    store.write("third", io.BytesIO(b"something else"))

    assert len(content_files(folder)) == 2
    again = ArtifactStore(folder)
    assert read(again, "first") == read(again, "second") == large
    assert read(again, "third") == b"something else"


def test_content_stays_as_long_as_one_name_has_it(folder):
    store = ArtifactStore(folder)
    for name in ("first", "second"):
        store.write(name, io.BytesIO(b"shared"))

    store.remove("first")
    assert read(store, "second") == b"shared"
    with pytest.raises(ArtifactNotFound):
        store.open_reader("first")

    store.remove("second")
    assert content_files(folder) == []


def test_a_name_that_is_not_there_is_optunas_own_error(folder):
    store = ArtifactStore(folder)
    with pytest.raises(ArtifactNotFound, match="no artifact absent"):
        store.open_reader("absent")
    with pytest.raises(ArtifactNotFound, match="no artifact absent"):
        store.remove("absent")


def test_what_optuna_uploads_it_downloads_again(folder, tmp_path):
    study = optuna.create_study(storage=Database(str(tmp_path / "automl-kd.db")).optuna())
    trial = study.ask()
    given = tmp_path / "student.onnx"
    given.write_bytes(b"\x08\x01 weights")

    name = upload_artifact(artifact_store=ArtifactStore(folder), file_path=str(given), study_or_trial=trial)
    download_artifact(artifact_store=ArtifactStore(folder), artifact_id=name, file_path=str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == given.read_bytes()


def test_the_size_of_a_folder_counts_all_files_below_it(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"x" * 10)
    (tmp_path / "a" / "b" / "two").write_bytes(b"x" * 5)
    assert folder_bytes(tmp_path) == 15
    assert folder_bytes(tmp_path / "missing") == 0


def test_the_room_on_a_disk_is_known_before_the_folder_exists(tmp_path):
    assert free_bytes(tmp_path / "not" / "yet") > 0
