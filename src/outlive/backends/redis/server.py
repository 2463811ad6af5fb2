"""Whether a server can keep what is promised; asked once, when the backend is opened."""

import logging

from outlive.backends.redis import faults
from outlive.backends.redis.link import Link
from outlive.errors import BackendError

OLDEST = (6, 2)

_log = logging.getLogger("outlive.redis")


async def check_server(link: Link) -> None:
    """Refuse a server that is too old or does not answer; warn of one that may throw records away."""
    try:
        told = _facts(await link.command("INFO"))
    except faults.TROUBLE as error:
        raise BackendError(f"Redis at {link.where} does not answer INFO: {error}") from error
    version = told.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise BackendError(f"Redis at {link.where} is {version}; outlive needs Redis 6.2 or Valkey: use a newer server")
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        _log.warning(
            "Redis at %s has maxmemory-policy %s: when its memory is full it deletes tasks without a word; "
            "set maxmemory-policy noeviction, so that new tasks are refused instead",
            link.where,
            policy,
        )


async def exposures(link: Link) -> list[str]:
    """What the settings of the server let be lost."""
    told = _facts(await link.command("INFO"))
    exposed: list[str] = []
    if told.get("maxmemory_policy", "noeviction") != "noeviction":
        exposed.append(f"maxmemory-policy {told['maxmemory_policy']}: a full server deletes tasks; set noeviction")
    if told.get("aof_enabled") != "1":
        exposed.append("appendonly no: a crash of the server loses all since its last snapshot; set appendonly yes")
    elif await _appendfsync(link) not in ("always", None):
        exposed.append("appendfsync everysec: a crash of the server may lose two seconds; set appendfsync always")
    return exposed


async def _appendfsync(link: Link) -> str | None:
    try:
        reply = await link.command("CONFIG", "GET", "appendfsync")
    except faults.TROUBLE:  # managed servers do not say
        return None
    return str(reply[1].decode()) if len(reply) > 1 else None


def _facts(reply: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
