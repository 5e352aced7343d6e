"""The application: routes behind a gate, within bounds, with a ledger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from automl_kd.core import __version__
from automl_kd.service.adoption import tell_of_adopted
from automl_kd.service.bounds import DOCUMENT_BYTES, Bounds
from automl_kd.service.callers import COOKIE
from automl_kd.service.context import Service
from automl_kd.service.dashboard import ADDRESSES, Dashboard
from automl_kd.service.gate import OPEN, Gate
from automl_kd.service.ledger import Ledger
from automl_kd.service.names import Naming
from automl_kd.service.pages import ROUTERS, form_bytes, warmed
from automl_kd.service.problems import tell_problems
from automl_kd.service.rates import Rates
from automl_kd.service.routes import devices, files, results, searches, system, trials

_MODEL_BYTES = 500_000_000
_THREADS = 16
"""Threads that wait for the database and for helpers."""


def create_app(service: Service) -> FastAPI:
    """The application of a service."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "service"))
        service.open_backstage()
        tasks = [asyncio.create_task(each) for each in (service.hub.run(), warmed(service), tell_of_adopted(service))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            service.close_backstage()

    app = FastAPI(
        title="automl-kd",
        version=__version__,
        summary="Search student architecture and distillation recipe together, priced for your device.",
        docs_url=None,  # these pages load scripts from a network
        redoc_url=None,
        lifespan=running,
    )
    app.state.service = service
    for room in (searches, trials, results, devices, files, system):
        app.include_router(room.router)
    for router in ROUTERS:
        app.include_router(router)
    tell_problems(app)
    _document_tokens(app)
    upload = service.settings.max_upload_bytes
    secure = service.settings.certificate is not None
    # The last one added is met first.
    app.add_middleware(Dashboard, database=service.database, queue=service.queue)
    app.add_middleware(Naming, names=service.names(_addresses(app)))
    app.add_middleware(Gate, tokens=service.tokens, rates=Rates(service.settings.rate), secure=secure)
    app.add_middleware(Bounds, most_bytes=lambda path: _most_bytes(path, upload), patience=service.settings.patience)
    app.add_middleware(Ledger, registry=service.registry, write=_write)
    return app


def _addresses(app: FastAPI) -> set[str]:
    """The first parts of all addresses."""
    paths = [*(route.path for route in app.routes if isinstance(route, Route)), *ADDRESSES]
    return {path.split("/")[1] for path in paths}


def _document_tokens(app: FastAPI) -> None:
    """Say in the OpenAPI document what the gate asks for, of which the routes behind it know nothing."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        kinds = {
            "token": {"type": "http", "scheme": "bearer"},
            "browser": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        }
        document["components"]["securitySchemes"] = kinds
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{name: []} for name in kinds]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _most_bytes(path: str, upload: int) -> int:
    if path == "/uploads":
        return upload
    if path.startswith("/hardware/") and path.endswith("/predict"):
        return min(upload, _MODEL_BYTES)
    return form_bytes(path, upload) or DOCUMENT_BYTES


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
