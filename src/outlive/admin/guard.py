"""Who may use the admin: this machine alone unless the application says otherwise, and never another site's page."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, HTTPException, Request, params

from outlive.admin.access import A_PERSON, AdminUser, remember
from outlive.admin.credentials import Credential, PasswordList, TaskAuthBackend, user_of
from outlive.admin.sessions import COOKIE, Sessions
from outlive.errors import ConfigError

#: A dependency of the application's own, names with passwords, False to let everybody in, None for this machine only.
Auth = Callable[..., Any] | TaskAuthBackend | Credential | Sequence[Credential] | Literal[False] | None

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

#: Headers by which a proxy shows itself. Behind one the peer is always near, so nearness proves nothing.
_PROXY_HEADERS = frozenset(
    {
        "cdn-loop",
        "cf-connecting-ip",
        "client-ip",
        "fastly-client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-original-forwarded-for",
        "x-original-host",
        "x-real-ip",
    }
)
_PROXY_PREFIX = "x-forwarded"

#: What Starlette's TestClient says of itself; no server reports such a peer.
_TEST_PEER, _TEST_HOST = "testclient", "testserver"

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?P<port>\d*))?", re.IGNORECASE | re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}

_REMEDY = (
    "Without auth= the task admin answers only this machine itself. Open it with TaskAdmin(auth=...): a dependency "
    "that lets the right people in, or auth=False to let everybody in."
)


_CHOICES = (
    "is none of None (this machine only), False (open to everybody), (name, password) or a list of such pairs, a "
    "TaskAuthBackend, and a FastAPI dependency: a function that raises HTTPException, given without Depends()"
)

#: Who somebody is where nobody asks.
_SOMEBODY = AdminUser(A_PERSON)


def password_backend(auth: Auth) -> TaskAuthBackend | None:
    """What checks names and passwords, None where the admin has no login of its own."""
    if isinstance(auth, TaskAuthBackend):
        return auth
    if isinstance(auth, tuple):
        return PasswordList([cast("Credential", auth)])
    if isinstance(auth, list):
        return PasswordList(cast("list[Credential]", auth))
    if auth is None or auth is False or callable(auth):
        return None
    raise ConfigError(f"auth={auth!r} {_CHOICES}")


def guards(auth: Auth, sessions: Sessions, backend: TaskAuthBackend | None) -> Sequence[params.Depends]:
    """The dependencies that stand in front of every route of the admin; the first says who somebody is."""
    if backend is not None:
        return [Depends(_signed_in(sessions, backend)), Depends(refuse_other_sites)]
    if auth is None:
        return [Depends(_as(_SOMEBODY)), Depends(refuse_other_machines), Depends(refuse_other_sites)]
    if auth is False:
        return [Depends(_as(_SOMEBODY)), Depends(refuse_other_sites)]
    return [Depends(_let_in_by(cast("Callable[..., Any]", auth))), Depends(refuse_other_sites)]


def who_is_let_in(auth: Auth) -> Literal["this machine", "everybody", "names with passwords", "a dependency"]:
    """In words, whom these guards let in."""
    if auth is None:
        return "this machine"
    if auth is False:
        return "everybody"
    return "a dependency" if password_backend(auth) is None else "names with passwords"


def place_guards(auth: Auth) -> Sequence[params.Depends]:
    """What stands in front of the login and of files: who asks is not known yet, where from is."""
    near = [Depends(refuse_other_machines)] if auth is None else []
    return [*near, Depends(refuse_other_sites)]


def _as(user: AdminUser) -> Callable[..., Any]:
    async def everybody(request: Request) -> None:
        remember(request, user)

    return everybody


def _let_in_by(auth: Callable[..., Any]) -> Callable[..., Any]:
    async def whom_the_application_knows(request: Request, answer: Annotated[Any, Depends(auth)]) -> None:
        if isinstance(answer, AdminUser):
            remember(request, answer)
        else:
            remember(request, AdminUser(answer if isinstance(answer, str) and answer else A_PERSON))

    return whom_the_application_knows


def _signed_in(sessions: Sessions, backend: TaskAuthBackend) -> Callable[..., Any]:
    async def who_is_signed_in(request: Request) -> None:
        token = request.cookies.get(COOKIE)
        name = await sessions.name_of(token) if token else None
        user = await user_of(backend, name) if name is not None else None
        if user is None:
            raise HTTPException(401, "Unauthorized")
        remember(request, user)

    return who_is_signed_in


async def refuse_other_machines(request: Request) -> None:
    """Answer 403 unless the request comes from this machine, was sent to this machine, and met no proxy."""
    stranger = _what_is_not_loopback(request)
    if stranger is not None:
        raise HTTPException(403, f"Refused because of the {stranger}. {_REMEDY}")


async def refuse_other_sites(request: Request) -> None:
    """Answer 403 to an action that a page of another origin makes a browser ask for.

    A browser says so in `Sec-Fetch-Site`, an older one in `Origin`; what sends neither is no browser.
    """
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or _is_same_authority(origin, request.headers.get("host", ""))
    if not is_own:
        raise HTTPException(
            403,
            f"Refused because another site asks for it (Origin: {origin}, Sec-Fetch-Site: {site}). Act from the "
            f"admin's own address; a proxy in front of it has to pass the Host header on unchanged.",
        )


# -- this machine ------------------------------------------------------------------------------------


def _what_is_not_loopback(request: Request) -> str | None:
    for name in request.headers:
        if name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX):
            return f"header {name}, which a proxy adds"
    peer = "(unknown)" if request.client is None else request.client.host
    if peer != _TEST_PEER and not _is_loopback(peer):
        return f"peer address {peer}"
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _is_local_host(hosts[0], peer):
        return f"Host header {', '.join(hosts) or '(missing)'}"
    return None


def _is_local_host(header: str, peer: str) -> bool:
    # Without this a page could point a name of its own at 127.0.0.1 and read what the browser then may read.
    authority = _AUTHORITY.fullmatch(header)
    if authority is None:
        return False
    host = authority["host"].lower()
    if host == _TEST_HOST:
        return peer == _TEST_PEER
    return host.removesuffix(".") == "localhost" or _is_loopback(host.strip("[]"))


def _is_loopback(address: str) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # how a socket for both families shows an IPv4 peer
    return parsed.is_loopback


# -- the same site -----------------------------------------------------------------------------------


def _is_same_authority(origin: str, host: str) -> bool:
    # The scheme is not compared: behind a proxy that ends TLS, this side does not know it.
    scheme, _, authority = origin.partition("://")
    port = _DEFAULT_PORTS.get(scheme.lower())
    asked, own = _AUTHORITY.fullmatch(authority), _AUTHORITY.fullmatch(host)
    if port is None or asked is None or own is None:
        return False
    return (asked["host"].lower(), asked["port"] or port) == (own["host"].lower(), own["port"] or port)
