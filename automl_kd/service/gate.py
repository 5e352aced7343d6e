"""Nobody in without a token: what stands before every route but the two that say whether the service lives."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automl_kd.service.callers import CALLER, COOKIE, Caller
from automl_kd.service.dashboard import is_of_dashboard
from automl_kd.service.pages.page import is_static, page
from automl_kd.service.problems import problem
from automl_kd.service.rates import Rates
from automl_kd.storage import Token, TokenStore

OPEN = ("/healthz", "/readyz")
_LOGIN = "/login"
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM, _FILE_FORM = "application/x-www-form-urlencoded", "multipart/form-data"
_FORM_BYTES = 100_000
_FIRST_FIELD_BYTES = 1000
_FIRST_FIELD = re.compile(
    rb'--[^\r\n]{1,100}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n([^\r\n]{0,200})\r\n', re.IGNORECASE
)
"""How a form begins that sends a file: the token stands before it, so that nothing of the file is read without one."""
_TOO_LARGE = f"the form is larger than the {_FORM_BYTES} bytes that are taken here"
_TOO_MANY = "too many wrong tokens from your address; wait a minute"
_BEARER = {"WWW-Authenticate": "Bearer"}
_MISSING = "send a token: Authorization: Bearer TOKEN; automl-kd token create makes one"


class Gate:
    """Lets requests in that bring a valid token, or the cookie of a browser that one let in.

    An address with a token is exchanged for a cookie, once, and redirected to without it. A request that a cookie lets
    in and that changes something must carry the browser's CSRF token, in the header ``X-CSRF-Token`` or a form's field.

    Args:
        app: What stands behind the gate.
        tokens: Who may come in.
        rates: How often.
        secure: Whether cookies travel over TLS only.
    """

    def __init__(self, app: ASGIApp, tokens: TokenStore, rates: Rates, secure: bool) -> None:
        self._app = app
        self._tokens = tokens
        self._rates = rates
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http" or scope["path"] in OPEN or _is_look(scope):
            await self._app(scope, receive, send)
            return
        answer, receive = await self._judge(scope, Headers(scope=scope), receive)
        await (self._app if answer is None else answer)(scope, receive, send)

    async def _judge(self, scope: Scope, headers: Headers, receive: Receive) -> tuple[Response | None, Receive]:
        """What refuses a request, None where it may pass, and how what is behind reads its body."""
        address = (scope.get("client") or ("?",))[0]
        if scope["path"] == _LOGIN and scope["method"] == "POST":
            return await self._log_in(scope, headers, receive, address), receive
        entry = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token")
        if entry is not None and scope["method"] == "GET" and "authorization" not in headers:
            return await self._enter(scope, entry, address), receive
        caller = await self._caller(headers)
        if caller is None:
            if "authorization" in headers or COOKIE in headers.get("cookie", ""):
                return self._wrong(headers, _MISSING, address), receive
            return _unknown(headers, _MISSING), receive
        scope[CALLER] = caller
        wait = self._rates.wait(caller.token.name)
        if wait:
            told = {"Retry-After": str(wait)}
            return problem(429, f"token {caller.token.name} makes too many requests; wait {wait} s", told), receive
        if caller.csrf is None or scope["method"] in _SAFE:
            return None, receive
        if is_of_dashboard(scope["path"]):  # whose scripts know no token of ours
            return (None if _of_own_page(headers) else problem(403, "the request was made by another site")), receive
        return await _forged(caller.csrf, headers, receive)

    async def _caller(self, headers: Headers) -> Caller | None:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind:
            token = await asyncio.to_thread(self._tokens.find, secret.strip()) if kind.lower() == "bearer" else None
            return None if token is None else Caller(token)
        cookie = _cookie(headers)
        browser = None if cookie is None else await asyncio.to_thread(self._tokens.browser, cookie)
        return None if browser is None else Caller(browser.token, browser.csrf)

    async def _enter(self, scope: Scope, secret: str, address: str) -> Response:
        """Exchange an address's token for a cookie."""
        token = await asyncio.to_thread(self._tokens.find, secret)
        if token is None:
            return self._wrong(Headers(scope=scope), "the token in the address is not valid", address)
        if not await asyncio.to_thread(self._tokens.spend_address, token):
            return _unknown(Headers(scope=scope), "the address was used before; sign in with the token itself")
        rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
        where = scope["path"] + (f"?{urlencode(rest)}" if rest else "")
        return await self._let_in(scope, token, _local(where))

    async def _log_in(self, scope: Scope, headers: Headers, receive: Receive, address: str) -> Response:
        if _of_another_site(headers):
            return problem(403, "this form was sent from another site")
        body = await _body(receive)
        if body is None:
            return problem(413, _TOO_LARGE, {"Connection": "close"})
        fields = parse_qs(body.decode("latin-1")) if headers.get("content-type", "").startswith(_FORM) else {}
        token = await asyncio.to_thread(self._tokens.find, fields.get("token", [""])[0].strip())
        if token is None:
            return self._wrong(headers, "this token is not valid: it may be mistyped, expired or revoked", address)
        return await self._let_in(scope, token, "/")

    def _wrong(self, headers: Headers, why: str, address: str) -> Response:
        """Refuses a wrong token; one address may send few, while right ones pass from wherever they come."""
        if not self._rates.may_try(address):
            return _unknown(headers, _TOO_MANY, 429, {"Retry-After": "60"})
        return _unknown(headers, why)

    async def _let_in(self, scope: Scope, token: Token, where: str) -> Response:
        scope[CALLER] = Caller(token)  # for the ledger
        cookie = await asyncio.to_thread(self._tokens.let_in, token)
        response = RedirectResponse(where, 303)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=self._secure, path="/")
        return response


async def _forged(csrf: str, headers: Headers, receive: Receive) -> tuple[Response | None, Receive]:
    """Refuses a change that the browser's own pages did not ask for; else gives the body again."""
    refusal = problem(403, "the request lacks this browser's CSRF token (X-CSRF-Token, or the field csrf of a form)")
    if _of_another_site(headers):
        return problem(403, "the request was made by another site"), receive
    given, kind = headers.get("x-csrf-token"), headers.get("content-type", "")
    if given is None and kind.startswith(_FORM):
        body = await _body(receive)
        if body is None:
            return problem(413, _TOO_LARGE, {"Connection": "close"}), receive
        given = parse_qs(body.decode("latin-1")).get("csrf", [""])[0]
        receive = _again({"type": "http.request", "body": body, "more_body": False}, receive)
    elif given is None and kind.startswith(_FILE_FORM):
        begun = await _beginning(receive)
        first = _FIRST_FIELD.match(begun.get("body", b""))
        given = None if first is None else first[1].decode("latin-1")
        receive = _again(begun, receive)
    if given is None or not hmac.compare_digest(given.encode(), csrf.encode()):
        return refusal, receive
    return None, receive


def _of_own_page(headers: Headers) -> bool:
    """Whether a browser says that a page of this very address made a request; a missing word counts as no."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin", "")
    return site == "same-origin" if site is not None else _host(origin) == headers.get("host")


def _of_another_site(headers: Headers) -> bool:
    """Whether a browser says that another site made a request. Pages that send no referrer say the origin ``null``."""
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin", "null")
    return site not in ("same-origin", "none") or (origin != "null" and _host(origin) != headers.get("host"))


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def _body(receive: Receive) -> bytes | None:
    """The body of a small form, None where it is too long for one.

    A longer one is read to its end, within the bounds of any body: whoever still sends would not hear the answer.
    """
    body: bytes = b""
    while True:
        message = await receive()
        if len(body) <= _FORM_BYTES:
            body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return body if len(body) <= _FORM_BYTES else None


async def _beginning(receive: Receive) -> Message:
    """The beginning of a body, long enough for the first field of a form, as one message."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body") or len(body) >= _FIRST_FIELD_BYTES:
            return {**message, "body": body}


def _again(first: Message, receive: Receive) -> Receive:
    """Gives a message that was received already, then what follows."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return first

    return again


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _unknown(headers: Headers, why: str, status: int = 401, told: Mapping[str, str] = _BEARER) -> Response:
    """Refuses somebody whom no token lets in; a browser gets the page that asks for one."""
    if "text/html" not in headers.get("accept", ""):
        return problem(status, why, dict(told))
    answer = page("sign_in.html", None, status, why=None if why is _MISSING else f"{why[:1].upper()}{why[1:]}.")
    answer.headers.update(told)
    return answer


def _is_look(scope: Scope) -> bool:
    """Whether a request asks for a style or an icon: the page that asks for a token has them, too."""
    return scope["method"] == "GET" and is_static(scope["path"])


def _local(path: str) -> str:
    """A path of this service; one that a browser would take for another host's becomes the front page."""
    return "/" if path.startswith(("//", "/\\")) or not path.startswith("/") else path
