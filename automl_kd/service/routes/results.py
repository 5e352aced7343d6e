"""What a search found, and what can be made of it: trials, front, exports, kits."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import FileResponse

from automl_kd.core import counted
from automl_kd.service import chores
from automl_kd.service.callers import Caller, Reader, Submitter
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.problems import PROBLEMS, ProblemError
from automl_kd.service.views import Artifact, ArtifactList, ExportRequest
from automl_kd.storage import SubmittedSearch

router = APIRouter(prefix="/searches/{name}", tags=["results"], responses=PROBLEMS)

_ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}\.(zip|html)")
_CONTENT: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_Responses = dict[int | str, dict[str, Any]]
_PAGE: _Responses = {200: {"content": {"text/html": _CONTENT}}}
_ZIP: _Responses = {200: {"content": {"application/zip": _CONTENT}}}
_ZIP_OR_PAGE: _Responses = {200: {"content": {"application/zip": _CONTENT, "text/html": _CONTENT}}}
_EXPORT_SECONDS = 900.0
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
"""Of pages that plotly draws: they run their own scripts, and reach nothing."""


@router.get("/result", summary="All that the search found")
async def result(service: TheService, caller: Reader, name: str) -> dict[str, Any]:
    """The document of automl-kd status: front, picks with their arms, trials, failures, time used."""
    _, found = await begun(service, caller, name)
    return found


@router.get("/trials", summary="Every trial that reached a rung")
async def trials(service: TheService, caller: Reader, name: str) -> dict[str, Any]:
    """``complete`` reached the last rung, ``stopped`` ended or wait below it, ``failures`` say why some failed."""
    _, found = await begun(service, caller, name)
    return {key: found[key] for key in ("complete", "stopped", "failures", "screened", "trials")}


@router.get("/report", summary="The study's report as one page", response_class=FileResponse, responses=_PAGE)
async def report(service: TheService, caller: Reader, name: str) -> FileResponse:
    """An HTML page that needs nothing from the network."""
    found, _ = await begun(service, caller, name)
    folder = service.artifacts(found.name)
    made = await service.slow.call(chores.reported, service.database.url, found.name, folder, seconds=_EXPORT_SECONDS)
    return _file(folder / made)


@router.post("/exports", status_code=201, summary="Deliver a student")
async def export(service: TheService, caller: Submitter, name: str, asked: ExportRequest) -> dict[str, Any]:
    """What automl-kd export prints, and ``archive``: the name of the artifact that holds the folder."""
    found, _ = await begun(service, caller, name)
    arguments = (service.database.url, found.name, str(asked.pick), service.artifacts(found.name))
    document: dict[str, Any] = await service.slow.call(chores.exported, *arguments, seconds=_EXPORT_SECONDS)
    return document


@router.get("/artifacts", response_model=ArtifactList, summary="What can be downloaded")
async def artifacts(service: TheService, caller: Reader, name: str) -> ArtifactList:
    """Exports, kits and reports that were made."""
    found = await in_thread(service.visible, name, caller)
    files = await in_thread(artifact_files, service.artifacts(found.name))
    return ArtifactList(artifacts=[Artifact(name=each.name, bytes=each.stat().st_size) for each in files])


@router.get("/artifacts/{artifact}", summary="Download something", response_class=FileResponse, responses=_ZIP_OR_PAGE)
async def artifact(service: TheService, caller: Reader, name: str, artifact: str) -> FileResponse:
    """One of the names that the list gives."""
    found = await in_thread(service.visible, name, caller)
    folder = service.artifacts(found.name)
    if not _ARTIFACT.fullmatch(artifact) or not (folder / artifact).is_file():
        raise ProblemError(404, f"artifact {artifact[:120]}: there is none of that name")
    return _file(folder / artifact)


@router.get("/kit", summary="A folder that measures the picks", response_class=FileResponse, responses=_ZIP)
async def kit(service: TheService, caller: Submitter, name: str) -> FileResponse:
    """An archive: unpack it on the device, run ``python3 measure.py``, and send ``results.jsonl`` back."""
    found, _ = await begun(service, caller, name)
    folder = service.artifacts(found.name)
    made = await service.slow.call(chores.kit_made, service.database.url, found.name, folder, seconds=_EXPORT_SECONDS)
    return _file(folder / made)


@router.post("/measurements", summary="Put what a device measured beside the predictions")
async def measurements(
    service: TheService,
    caller: Submitter,
    name: str,
    lines: Annotated[bytes, Body(media_type="application/x-ndjson", description="results.jsonl of the kit.")],
) -> dict[str, Any]:
    """For every pick: predicted, its 90 % interval, measured, and whether that lies inside."""
    found, _ = await begun(service, caller, name)
    folder = service.artifacts(found.name)
    with TemporaryDirectory(dir=service.own_folder) as place:
        results = Path(place, "results.jsonl")
        results.write_bytes(lines)
        arguments = (service.database.url, found.name, folder, results)
        document: dict[str, Any] = await service.slow.call(chores.verified, *arguments, seconds=_EXPORT_SECONDS)
    inside = sum(each["measured_inside"] for each in document["picks"])
    told = f"measured on the device: {counted(len(document['picks']), 'pick')}, {inside} inside the predicted interval"
    await service.changed(found, told)
    return document


async def begun(service: Service, caller: Caller, name: str) -> tuple[SubmittedSearch, dict[str, Any]]:
    """A search whose study is begun, and all that storage says of it.

    Raises:
        ProblemError: If it is not visible, or has not begun.
    """
    search = await in_thread(service.visible, name, caller)
    summary = await service.summary(search)
    if summary is None:
        raise ProblemError(409, f"search {name}: has not begun; it is {search.state}")
    return search, summary


def artifact_files(folder: Path) -> list[Path]:
    """The files of a search that can be downloaded, by name."""
    return sorted(each for each in folder.iterdir() if _ARTIFACT.fullmatch(each.name)) if folder.is_dir() else []


def _file(path: Path) -> FileResponse:
    page = path.suffix == ".html"
    headers = {"Content-Security-Policy": _SANDBOX} if page else None
    kind = "text/html" if page else "application/zip"
    return FileResponse(path, media_type=kind, headers=headers, filename=None if page else path.name)
