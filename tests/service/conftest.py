"""Services that tests share: one without a runner, whose queue stands still, and one that shows a finished search."""

import shutil

import pytest
from served import new_token, serve


@pytest.fixture(scope="session")
def served(command, tmp_path_factory):
    """A service without runners; it serves a folder of the operator's, and takes small files only."""
    folder = tmp_path_factory.mktemp("served")
    root = folder / "shared"
    root.mkdir()
    tokens = {
        "boss": new_token(command, folder, "boss", "--scope", "admin"),
        "alice": new_token(command, folder, "alice"),
        "bob": new_token(command, folder, "bob"),
        "looker": new_token(command, folder, "looker", "--scope", "read", "--owner", "alice"),
    }
    options = ("--runners", "0", "--root", str(root), "--max-upload", "2MB", "--rate", "1000", "--max-searches", "60")
    found = serve(command, folder, *options)
    found.tokens, found.root = tokens, root
    yield found
    found.stop()


@pytest.fixture(scope="session")
def finished(command, exhausted, tmp_path_factory):
    """A service without runners over the database of a search that came to its end on the command line."""
    folder = tmp_path_factory.mktemp("finished")
    for each in exhausted.folder.iterdir():
        (shutil.copytree if each.is_dir() else shutil.copy)(each, folder / each.name)
    tokens = {"boss": new_token(command, folder, "boss", "--scope", "admin"), "bob": new_token(command, folder, "bob")}
    found = serve(command, folder, "--runners", "0", "--rate", "1000")
    found.tokens, found.document = tokens, exhausted.document
    yield found
    found.stop()


@pytest.fixture
def alice(served):
    with served.client(served.tokens["alice"]) as client:
        yield client


@pytest.fixture
def bob(served):
    with served.client(served.tokens["bob"]) as client:
        yield client


@pytest.fixture
def looker(served):
    with served.client(served.tokens["looker"]) as client:
        yield client


@pytest.fixture
def boss(served):
    with served.client(served.tokens["boss"]) as client:
        yield client


@pytest.fixture
def nobody(served):
    with served.client() as client:
        yield client
