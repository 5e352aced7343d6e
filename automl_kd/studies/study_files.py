"""Where a study keeps what is too large for the database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study.

    Attributes:
        folder: Of the study, beside the database.
    """

    folder: Path

    def checkpoint(self, number: int) -> Path:
        """The state of a candidate between its rungs."""
        return self.folder / "checkpoints" / f"trial-{number}.pt"

    def weights(self, number: int) -> Path:
        """The weights of a candidate that reached the top rung."""
        return self.folder / "students" / f"trial-{number}.safetensors"

    def job_checkpoint(self, key: str) -> Path:
        """The state of a full training."""
        return self.folder / "jobs" / f"{key}.pt"

    def job_weights(self, key: str) -> Path:
        """The weights that a full training led to."""
        return self.folder / "jobs" / f"{key}.safetensors"

    def pick(self, number: int) -> Path:
        """What is delivered of a pick."""
        return self.folder / "picks" / f"trial-{number}"

    def detail(self, number: int) -> Path:
        """What was read of a trial when its detail was first asked for."""
        return self.folder / "details" / f"trial-{number}.json"

    def trial_log(self, number: int) -> Path:
        """What was told of a trial while it was trained and tested."""
        return self.folder / "logs" / f"trial-{number}.log"

    @property
    def log(self) -> Path:
        """What workers wrote on standard error that belongs to no trial."""
        return self.folder / "workers.log"
