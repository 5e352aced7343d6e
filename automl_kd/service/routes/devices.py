"""Devices, and what a model costs on one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Body

from automl_kd.service import chores
from automl_kd.service.callers import Reader, Submitter
from automl_kd.service.context import TheService
from automl_kd.service.places import reads_like_a_path
from automl_kd.service.problems import PROBLEMS, ProblemError

router = APIRouter(prefix="/hardware", tags=["hardware"], responses=PROBLEMS)


@router.get("", summary="Devices with a profile, and how far off their prices are")
async def hardware(service: TheService, _: Reader) -> dict[str, Any]:
    """What automl-kd hw list prints."""
    found: dict[str, Any] = await service.quick.call(chores.devices)
    return found


@router.post("/{device}/predict", summary="What an ONNX file costs on a device")
async def predict(
    service: TheService,
    _: Submitter,
    device: str,
    model: Annotated[bytes, Body(media_type="application/octet-stream", description="The ONNX file.")],
) -> dict[str, Any]:
    """Latency in ms with a 90 % interval, where the time goes, memory; nothing of the file is kept."""
    if reads_like_a_path(device):
        raise ProblemError(404, f"device {device[:120]}: there is none of that name; see GET /hardware")
    with TemporaryDirectory(dir=service.own_folder) as place:
        file = Path(place, "model.onnx")
        file.write_bytes(model)
        found: dict[str, Any] = await service.quick.call(chores.predicted, file, device)
    return found
