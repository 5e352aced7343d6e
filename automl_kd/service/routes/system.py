"""Whether the service lives, what it measures, and the schemas of what it says."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from automl_kd.service.callers import Reader
from automl_kd.service.context import TheService, in_thread
from automl_kd.service.problems import PROBLEMS, ProblemError
from automl_kd.service.views import Health
from automl_kd.studies.request import SearchRequest

router = APIRouter(tags=["system"])
_AWAY: dict[int | str, dict[str, Any]] = {503: PROBLEMS[503]}
_MEASURED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    **PROBLEMS,
}


@router.get("/healthz", response_model=Health, summary="Whether the process answers")
async def healthz() -> Health:
    """Needs no token."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, summary="Whether the database answers, too", responses=_AWAY)
async def readyz(service: TheService) -> Health:
    """Needs no token."""
    try:
        await in_thread(service.queue.counts)
    except Exception:  # whatever it is, whoever asks here needs to know no more
        raise ProblemError(503, "the database does not answer") from None
    return Health(status="ready")


@router.get("/metrics", summary="Measurements for Prometheus", response_class=Response, responses=_MEASURED)
async def metrics(service: TheService, _: Reader) -> Response:
    """Requests by route and status, their times, searches by state, listeners of events."""
    service.gauges.take(await in_thread(service.queue.counts), service.hub.listeners)
    return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/schema", summary="JSON schema of what POST /searches takes", responses=PROBLEMS)
async def schema(_: Reader) -> dict[str, Any]:
    """The options of a search, each with what it means."""
    return SearchRequest.model_json_schema()
