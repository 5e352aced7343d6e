"""Pages: a new search, what it would do, its start, and the files that it may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response

from automl_kd.core import UserError, count, counted, duration, size, three_digits, whole
from automl_kd.service.callers import Caller, Submitter
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.intake import dropped, taken_in
from automl_kd.service.pages import request_form, wording
from automl_kd.service.pages.choices import choices
from automl_kd.service.pages.device_words import error_words
from automl_kd.service.pages.file_forms import FileForm
from automl_kd.service.pages.forms import Mistake, Sent, go_to
from automl_kd.service.pages.page import page
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.pages.sent_files import SentFile, sent_files
from automl_kd.service.problems import ProblemError
from automl_kd.service.submission import planned, submitted

router = page_router()
_PRIORITY = 5
_FIRST = {"task": "digits", "budget": "3m"}


@router.get("/new")
async def new(service: TheService, caller: Submitter, like: str | None = None) -> Response:
    """The form, empty, or as another search would be asked for again."""
    typed: Mapping[str, str] = _FIRST
    if like is not None:
        found = await in_thread(service.visible, like, caller)
        typed = request_form.typed({**found.request, "budget": duration_text(found.budget)})
    return await _shown(service, caller, typed)


@router.post("/new")
async def asked(service: TheService, caller: Submitter, form: Sent) -> Response:
    """Says what the search would do, starts it, or puts a file that was sent into its field."""
    typed, document = request_form.kept(form), request_form.document(form)
    field, _, value = form.text("use").partition("=")
    if field:
        return await _shown(service, caller, {**typed, field: value})
    try:
        if form.text("do") == "start":
            search = await submitted(service, caller, document, _PRIORITY)
            return go_to(f"/ui/searches/{search.name}")
        return await _shown(service, caller, typed, plan=await _plan(service, caller, document))
    except (UserError, ProblemError) as error:
        return await _shown(service, caller, typed, mistake=Mistake.of("new", error, typed))


@router.get("/new/files")
async def files(_: Submitter) -> Response:
    """Where a form that sent a file has been; the files are on the page of a new search."""
    return go_to("/ui/new#files")


@router.post("/new/files")
async def send(service: TheService, caller: Submitter, request: Request) -> Response:
    """Takes a file in; what was typed stays."""
    form = await FileForm.read(request)
    typed = request_form.kept(form.fields)
    try:
        if not form.name:
            raise UserError("file: choose one to send, such as photos.zip or teacher.onnx")
        sent = await taken_in(service, caller.token.owner, form.content(), form.name)
    except (UserError, ProblemError) as error:
        await form.hear_out()
        return await _shown(service, caller, typed, mistake=Mistake.of("files", error, typed))
    return await _shown(service, caller, typed, sent=f"{sent.name} is here, {size(sent.bytes)}.")


@router.post("/new/files/{sha256}/remove")
async def remove(service: TheService, caller: Submitter, sha256: str, form: Sent) -> Response:
    """Deletes a file that was sent; what was typed stays."""
    typed = request_form.kept(form)
    try:
        await dropped(service, caller.token.owner, sha256)
    except ProblemError as error:
        return await _shown(service, caller, typed, mistake=Mistake.of("files", error, typed))
    return await _shown(service, caller, typed, sent="It is deleted.")


async def _shown(
    service: Service,
    caller: Caller,
    typed: Mapping[str, str],
    *,
    plan: Mapping[str, Any] | None = None,
    sent: str | None = None,
    mistake: Mistake | None = None,
) -> Response:
    own = await sent_files(service, caller)
    groups = request_form.groups(_with_own(await choices(service), own))
    folded = {field.name for group in groups if group.folded for field in group.fields}
    wrong = None if mistake is None or mistake.form != "new" else request_form.field_of(mistake.told)
    return page(
        "new.html",
        caller,
        200 if mistake is None else mistake.status,
        groups=groups,
        typed=typed,
        opened=wrong in folded or any(typed.get(name) for name in folded),
        plan=plan,
        wrong=wrong,
        mistake=mistake,
        files=own,
        sent=sent,
        most_bytes=service.settings.max_upload_bytes,
    )


def _with_own(offered: Mapping[str, Any], own: Sequence[SentFile]) -> dict[str, Any]:
    """What forms offer, and beside it what the caller has sent."""
    found = dict(offered)
    for choice in (each for file in own for each in file.choices):
        found[choice.field] = [*found.get(choice.field, ()), choice.value]
    return found


async def _plan(service: Service, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    plan = await planned(service, caller, document)
    rows = await service.quick.call(wording.understood_words, plan["understood"])
    warnings = [words for title, words in rows if title == "warning"]
    return {
        "hw": document.get("hw"),
        "rows": plan_rows(plan),
        "warnings": [*warnings, *plan["notes"]],
        "understood": [(title, words) for title, words in rows if title != "warning"],
        "sample": [
            {
                "latency": f"{three_digits(each['latency_ms'])} ms"
                f" ({three_digits(each['latency_low'])}–{three_digits(each['latency_high'])})",
                "params": count(each["params"]),
                "memory": size(each["memory_bytes"]),
            }
            for each in plan["sample"]
        ],
    }


def plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a search would do, a title and a few words each."""
    score, *prices = plan["objectives"]
    space, seconds, least_and_most = plan["space"], plan["seconds"], plan["latency_ms"]
    teacher = f"about {duration(seconds['teacher'])} for the teacher, " if seconds["teacher"] else ""
    return [
        ("Name", plan["study"]),
        ("Predictions", error_words(plan["latency_error"])),
        ("Looks for", f"{_side(score)} {score['title']}; low {', '.join(each['title'] for each in prices)}"),
        ("Space", f"{_many(space['architectures'])} architectures, {_many(space['recipes'])} recipes"),
        ("Within the limits", f"{100 * plan['feasible']:.0f} % of a sample of {plan['sampled']}"),
        (
            "Latency of the sample",
            f"{three_digits(least_and_most[0])} to {three_digits(least_and_most[-1])} ms, half of it below"
            f" {three_digits(least_and_most[len(least_and_most) // 2])} ms",
        ),
        (
            "Budget",
            f"{duration(seconds['budget'])}: {teacher}at least {duration(seconds['search'])} for the search, at most"
            f" {duration(seconds['picks'])} for the picks",
        ),
        (
            "Buys about",
            f"{counted(plan['trials'], 'trial')} with {counted(plan['workers'], 'worker')}; an epoch takes about"
            f" {plan['epoch_seconds']:.2g} s, rungs are at {' and '.join(map(str, plan['rungs']))} epochs",
        ),
    ]


def duration_text(seconds: float) -> str:
    """Seconds as one types them."""
    return f"{seconds:g}s"


def _side(objective: Mapping[str, Any]) -> str:
    return "high" if objective["direction"] == "maximize" else "low"


def _many(number: float | None) -> str:
    return whole(float("inf") if number is None else number)
