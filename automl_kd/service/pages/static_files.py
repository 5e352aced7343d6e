"""What pages load besides themselves."""

from __future__ import annotations

from fastapi import Response

from automl_kd.service.callers import Reader
from automl_kd.service.pages.page import static_file
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.problems import ProblemError

router, rest = page_router(), page_router()
_YEAR = "private, max-age=31536000, immutable"


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """A style, a script or an icon; its address changes with its content. Needs no token."""
    found = static_file(name)
    if found is None:
        raise ProblemError(404, "there is nothing at this address")
    content, kind = found
    return Response(content, media_type=kind, headers={"Cache-Control": _YEAR})


@rest.get("/{address:path}")
async def nothing(_: Reader, address: str) -> Response:
    """Any other address."""
    raise ProblemError(404, f"there is nothing at /ui/{address[:120]}")
