"""What a delivered folder was found to be: what of it is as its manifest says, and how fast its files run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from automl_kd.results.base import Result

Outcome = Literal["ok", "differs", "not checked"]


class Check(Result):
    """One thing that a manifest says."""

    name: str = Field(description="files, onnx, labels, recipe, parity or score.")
    outcome: Outcome = Field(description="differs where something is not as the manifest says.")
    told: str = Field(description="What was found, or why it was not checked, in words.")


class Verification(Result):
    """What of a delivery is as its manifest says."""

    path: str = Field(description="The folder.")
    ok: bool = Field(description="Whether nothing differs.")
    checks: tuple[Check, ...] = Field(description="What was checked, in this order.")

    @property
    def fault(self) -> str | None:
        """What differs, in one line; None where nothing does."""
        found = [each.told for each in self.checks if each.outcome == "differs"]
        return f"{self.path} is not as its manifest.json says: {'; '.join(found)}" if found else None


class TimedFile(Result):
    """One file of a delivery at one size of batch, timed on this machine."""

    file: str = Field(description="Its name in the folder.")
    batch: int = Field(description="Examples at a time.")
    ms: float = Field(description="One batch, at the highest speed that the machine was seen at.")
    repeat_error: float = Field(description="Relative standard error of that.")
    p10: float = Field(description="As timed: one run in ten was faster, in ms.")
    p90: float = Field(description="As timed: one run in ten was slower, in ms.")
    per_second: float = Field(description="Examples a second, at that latency.")
    predicted_ms: float | None = Field(
        description="Predicted for this machine; None where that is not known without measuring first, or not for this"
        " batch and number of threads."
    )
    predicted_low: float | None = Field(description="Lower end of its 90 % interval.")
    predicted_high: float | None = Field(description="Upper end.")


class Bench(Result):
    """How fast the files of a delivery run on this machine, under onnxruntime."""

    path: str = Field(description="The folder.")
    cpu: str = Field(description="The processor.")
    onnxruntime: str = Field(description="Its version.")
    threads: int = Field(description="Inside one operator.")
    drift: float = Field(description="By how much the machine's speed varied meanwhile, which was taken out.")
    rows: tuple[TimedFile, ...] = Field(description="By size of batch, then by file.")
