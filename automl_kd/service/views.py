"""What the service says of searches, as types; the OpenAPI document is made from them."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, Field

from automl_kd.storage import Event, SearchState, SubmittedSearch


class Best(BaseModel):
    """The best candidate so far."""

    trial: int = Field(description="Its number.")
    score: float = Field(description="The metric that is searched, on search-validation.")
    latency_ms: float = Field(description="Predicted latency, ms.")


class Progress(BaseModel):
    """Where a search is, as it said last."""

    phase: str = Field(description="prepare, read, calibrate, teacher, search or picks.")
    doing: str = Field(description="What is happening, in a few words.")
    spent: float = Field(description="Seconds used in all.")
    budget: float = Field(description="Seconds in all; 0 where they are not known yet.")
    split: dict[str, float] = Field(description="Seconds planned by phase.")
    counts: dict[str, int] = Field(description="Numbers of candidates by what became of them.")
    done: float | None = Field(description="Share of the phase that is done, where it is known.")
    best: Best | None = Field(description="The best candidate so far.")


class SearchView(BaseModel):
    """A search, and how it stands."""

    name: str = Field(description="Of the search and its study.", examples=["digits-jetson-nano-tiny_cnn"])
    owner: str = Field(description="Who submitted it.")
    state: SearchState = Field(description="Where it is between queue and end.")
    reason: str | None = Field(description="Why it failed, or how it came back into the queue.")
    position: int | None = Field(description="Its place in the queue, from 1, as owners take turns.")
    priority: int = Field(description="The larger, the earlier.")
    stopping: bool = Field(description="Whether it was asked to stop and still runs.")
    request: dict[str, Any] = Field(description="What was asked for.")
    budget: float = Field(description="Seconds in all, with what was added since.")
    created: float = Field(description="When it was submitted, seconds since 1970.")
    changed: float = Field(description="When its state changed last, seconds since 1970.")
    events: int = Field(description="Number of its last event.")
    progress: Progress | None = Field(description="Where it is; None as long as it has not begun.")
    seconds_left: float | None = Field(description="Of the budget, while it runs.")


def view_of(search: SubmittedSearch, position: int | None, latest: Event | None) -> SearchView:
    """A search as the service shows it."""
    progress = None if latest is None else Progress(**latest.document)
    left = None
    if search.state == "running" and latest is not None and progress is not None and progress.budget:
        since = max(0.0, time.time() - latest.time)
        left = max(0.0, search.budget - progress.spent - since)
    return SearchView(
        name=search.name,
        owner=search.owner,
        state=search.state,
        reason=search.reason,
        position=position,
        priority=search.priority,
        stopping=search.cancelled,
        request=dict(search.request),
        budget=search.budget,
        created=search.created,
        changed=search.changed,
        events=search.events,
        progress=progress,
        seconds_left=left,
    )


class SearchList(BaseModel):
    """Searches, newest first."""

    searches: list[SearchView] = Field(description="Those that the token may see.")


class Extension(BaseModel):
    """Time to add to a search."""

    model_config = {"extra": "forbid"}

    by: str | float = Field(description="Such as 30m or 2h; a number is in seconds.", examples=["30m"])


class ExportRequest(BaseModel):
    """A student to deliver."""

    model_config = {"extra": "forbid"}

    pick: str | int = Field("knee", description="knee, best, fastest, another role, or a trial's number.")


class RepriceRequest(BaseModel):
    """Another device for trials that are finished."""

    model_config = {"extra": "forbid"}

    hw: str = Field(description="Device, by name; see GET /hardware.", examples=["raspberry-pi-4"])
    max_latency: str | float | None = Field(None, description="Leave out what is predicted slower, e.g. 4ms.")


class Artifact(BaseModel):
    """Something to download."""

    name: str = Field(description="For GET /searches/{name}/artifacts/{artifact}.")
    bytes: int = Field(description="Its size.")


class ArtifactList(BaseModel):
    """What can be downloaded of a search."""

    artifacts: list[Artifact] = Field(description="By name.")


class UploadView(BaseModel):
    """Something that was sent."""

    sha256: str = Field(description="Its hash: name it as upload:SHA256 or upload:SHA256/file.")
    name: str = Field(description="What its sender calls it.")
    bytes: int = Field(description="What it takes here.")
    created: float = Field(description="When it was sent, seconds since 1970.")


class UploadList(BaseModel):
    """What the token's owner sent, newest first."""

    uploads: list[UploadView]


class Health(BaseModel):
    """Whether the service lives."""

    status: str = Field(examples=["ok"])
