"""The files of a delivered folder are timed on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_kd.core import UserError
from automl_kd.delivery import DeliveredFolder, of_integers
from automl_kd.hardware import Measurement, Prediction, load_profile, measure_latencies
from automl_kd.results import Bench, Observer, TimedFile, sharing

_HERE, _HERE_IN_INTEGERS = "local", "local:onnxruntime-int8"


def bench(
    folder: str | Path = "winner",
    *,
    batches: Sequence[int] = (1, 8, 64),
    threads: int = 1,
    observer: Observer | None = None,
) -> Bench:
    """Time a delivery under onnxruntime on this machine's CPU, the float file beside the compressed one.

    Args:
        folder: What ``export``, ``distill`` or a search has delivered.
        batches: How many examples at a time.
        threads: Inside one operator.
        observer: Told how far it is.

    Returns:
        Latency with its spread and examples a second of every file at every size of batch; beside them the prediction
        for this machine, where that is calibrated, of one example by as many threads.

    Raises:
        UserError: If the folder has no manifest, a file does not run, or a batch is none.
    """
    wrong = next((each for each in batches if each < 1), None)
    if wrong is not None or not batches:
        raise UserError(f"batch {wrong}: it should be at least 1 example" if batches else "name a batch, such as 1")
    files = DeliveredFolder.opened(Path(folder)).onnx_files
    rows, measured, progress = [], [], sharing(observer or Observer(), "measure")
    for number, batch in enumerate(batches):

        def told(share: float, what: str, done: int = number) -> None:
            progress((done + share) / len(batches), what)

        timed = measure_latencies(files, threads, progress=told, batch=batch)
        measured += timed
        rows += [_row(file, batch, each, threads) for file, each in zip(files, timed, strict=True)]
    first = measured[0]
    return Bench(
        path=str(folder),
        cpu=first.cpu,
        onnxruntime=first.versions["onnxruntime"],
        threads=threads,
        drift=max(each.drift for each in measured),
        rows=tuple(rows),
    )


def _row(file: Path, batch: int, timed: Measurement, threads: int) -> TimedFile:
    predicted = _predicted(file, threads) if batch == 1 else None
    return TimedFile(
        file=file.name,
        batch=batch,
        ms=timed.ms,
        repeat_error=timed.repeat_error,
        p10=timed.p10,
        p90=timed.p90,
        per_second=1e3 * batch / timed.ms,
        predicted_ms=None if predicted is None else predicted.ms,
        predicted_low=None if predicted is None else predicted.low,
        predicted_high=None if predicted is None else predicted.high,
    )


def _predicted(file: Path, threads: int) -> Prediction | None:
    """For this machine, where it is calibrated already and for so many threads."""
    profile = load_profile(_HERE_IN_INTEGERS if of_integers(file) else _HERE)
    return profile.predict(file) if profile.ready and profile.target.threads == threads else None
