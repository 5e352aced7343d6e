"""The same promises on a real PostgreSQL server, started here on a loopback port."""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from automl_kd.errors import UserError
from automl_kd.storage import Database

pytest.importorskip("psycopg", reason="psycopg (extra postgres) is not installed")

_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = pytest.mark.skipif(not _INSTALLED, reason="no PostgreSQL server is installed (Debian: postgresql)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server():
    """A server's URL and a function that stops and starts it."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to the server's account
        yield from serving(Path(name), free_port())


def serving(folder, port):
    root = os.geteuid() == 0
    if root:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)

    def run(program, *arguments):
        command = [str(_INSTALLED[-1].with_name(program)), "-D", str(folder / "data"), *arguments]
        user = {"user": "postgres", "group": "postgres"} if root else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60, **user)

    def control(action):
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), action)

    run("initdb", "-A", "trust", "-U", "akd")
    control("start")
    yield f"postgresql+psycopg://akd:secret@127.0.0.1:{port}/postgres", control
    control("stop")


@pytest.fixture
def url(server):
    return server[0]


def test_several_processes_make_the_tables_of_a_fresh_database_at_once(url):
    script = "import sys; from automl_kd.storage import Database; Database(sys.argv[1]).optuna()"
    together = [subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1] for process in together]
    assert [process.returncode for process in together] == [0, 0, 0], errors


def test_a_study_has_one_driver_and_finished_jobs_stay_finished_through_a_restart(server):
    url, control = server
    database = Database(url)
    with database.lease("cam") as lease:
        lease.beat()
        other = "import sys; from automl_kd.storage import Database\nwith Database(sys.argv[1]).lease('cam'): pass"
        refused = subprocess.run([sys.executable, "-c", other, url], capture_output=True, text=True, check=False)
        assert f"is being searched by process {os.getpid()}" in refused.stderr
    database.finish_job("cam", "key", {"accuracy": 0.9})
    control("restart")
    assert Database(url).jobs("cam") == {"key": {"accuracy": 0.9}}


def test_passwords_are_not_shown(url):
    assert "secret" not in Database(url).shown


def test_an_unreachable_server_is_told_in_one_line():
    with pytest.raises(UserError, match=r"127\.0\.0\.1") as error:
        Database(f"postgresql+psycopg://akd:secret@127.0.0.1:{free_port()}/postgres")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_search_ends_on_it_and_again_does_nothing_more(url, command, digits_teacher, space_of_two, tmp_path):
    (tmp_path / "two.yaml").write_text(space_of_two)
    arguments = ("search", "--hw", "x86-server", "--budget", "90s", "--space", "two.yaml", "--storage", url, "--json")
    first = command(*arguments, cwd=tmp_path).document
    assert (first["trials"]["complete"], first["trials"]["failed"]) == (2, 0)
    again = command(*arguments, cwd=tmp_path).document
    assert again["front"] == first["front"]
    assert again["seconds"]["search"] == first["seconds"]["search"]
