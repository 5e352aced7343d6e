import json
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
