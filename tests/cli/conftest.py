import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from automl_kd.cli import main


@dataclass(frozen=True)
class Said:
    """How the command line ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document on standard output."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture
def run(own_cache, capfd, monkeypatch, tmp_path):
    """The command line in this process and in an empty folder; what it writes is caught below Python."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in arguments])
        return Said(ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def mistake(run):
    """The message of a command that must fail as a user's mistake."""

    def mistake(*arguments):
        said = run(*arguments, "--json")
        assert said.code == 2, said.out
        message = said.document["error"]
        assert said.document == {"error": message}
        assert said.err == f"automl-kd: {message}\n"
        return message

    return mistake


@pytest.fixture(scope="session")
def run_script():
    """Runs a kit's script as on a device, where nothing of the project can be imported."""

    def run_script(kit):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        words = [sys.executable, "-I", "measure.py"]
        ended = subprocess.run(
            words, cwd=kit, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
        assert ended.returncode == 0, ended.stderr

    return run_script


@pytest.fixture(scope="session")
def quieten():
    """Makes a kit's results those of a machine without other programs: every round like the first."""

    def quieten(kit):
        path = kit / "results.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        first = {line["model"]: line for line in lines[1:-1] if line["round"] == 0}
        lines[1:-1] = [{**first[line["model"]], "round": line["round"]} for line in lines[1:-1]]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return quieten
