"""Names and passwords: how they are given, kept and compared."""

import asyncio
import hashlib
import hmac
import secrets
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import partial
from typing import cast

from outlive.admin.access import RANKS, AdminUser, Role
from outlive.errors import ConfigError

_SCHEME = "scrypt"
_COST, _BLOCK, _LANES = 2**14, 8, 1
#: scrypt needs 128 * cost * block bytes.
_MEMORY = 64 * 1024 * 1024

#: A name with a password or its hash, and a role where it is not admin.
Credential = tuple[str, str] | tuple[str, str, Role]


class TaskAuthBackend(ABC):
    """Checks names and passwords somewhere else: a table of users, a directory. Called in a thread."""

    @abstractmethod
    def authenticate_user(self, username: str, password: str) -> bool:
        """Say whether this password belongs to this name."""

    def role_of(self, username: str) -> Role:  # noqa: ARG002 - for those who override it
        """What somebody may do: `viewer`, `operator` or `admin`; everything unless overridden."""
        return "admin"


def hash_password(password: str) -> str:
    """The text to give to `TaskAdmin(auth=...)` in place of a password, so that none stands in the configuration."""
    salt = secrets.token_bytes(16)
    key = _derive(password, salt)
    return f"{_SCHEME}${b64encode(salt).decode()}${b64encode(key).decode()}"


class PasswordList(TaskAuthBackend):
    """Names and passwords that the application gave; a wrong name takes as long as a wrong password."""

    def __init__(self, credentials: Sequence[Credential]) -> None:
        if not credentials:
            raise ConfigError("auth=[] lets nobody in; give (name, password) pairs, or leave auth out")
        self._keys: dict[str, tuple[bytes, bytes]] = {}
        self._roles: dict[str, Role] = {}
        for credential in credentials:
            name, password, role = _checked(credential)
            self._keys[name] = _key_of(password)
            self._roles[name] = role
        self._nobody = _key_of(secrets.token_hex())

    def authenticate_user(self, username: str, password: str) -> bool:
        """Derive the key whoever it is, so that the time tells nothing."""
        salt, expected = self._keys.get(username, self._nobody)
        matches = hmac.compare_digest(_derive(password, salt), expected)
        return matches and username in self._keys

    def role_of(self, username: str) -> Role:
        """The role that was given with the name."""
        return self._roles[username]

    def knows(self, username: str) -> bool:
        """Whether the name is on the list (still)."""
        return username in self._keys


async def authenticate(backend: TaskAuthBackend, username: str, password: str) -> AdminUser | None:
    """The person, None where name and password do not belong together."""
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(None, partial(backend.authenticate_user, username, password))
    return await user_of(backend, username) if matches else None


async def user_of(backend: TaskAuthBackend, username: str) -> AdminUser | None:
    """Somebody who has signed in before, None where the name is known no more."""
    if isinstance(backend, PasswordList):
        return AdminUser(username, backend.role_of(username)) if backend.knows(username) else None
    role = await asyncio.get_running_loop().run_in_executor(None, backend.role_of, username)
    return AdminUser(username, role)


def _checked(credential: object) -> tuple[str, str, Role]:
    parts: tuple[object, ...] = cast("tuple[object, ...]", credential) if isinstance(credential, tuple) else ()
    if len(parts) not in (2, 3) or not all(isinstance(part, str) and part for part in parts):
        raise ConfigError("auth takes (name, password) or (name, password, role) of texts that are not empty")
    name, password, role = cast("tuple[str, str, str]", (*parts, "admin")[:3])
    if role not in RANKS:
        raise ConfigError(f"the role of {name!r} is {role!r}; it is one of {', '.join(RANKS)}")
    return name, password, cast("Role", role)


def _key_of(password: str) -> tuple[bytes, bytes]:
    scheme, _, rest = password.partition("$")
    if scheme == _SCHEME and rest:
        salt, _, key = rest.partition("$")
        try:
            return b64decode(salt, validate=True), b64decode(key, validate=True)
        except ValueError as error:
            raise ConfigError("a password that begins with 'scrypt$' must be what hash_password() made") from error
    own = secrets.token_bytes(16)
    return own, _derive(password, own)


def _derive(password: str, salt: bytes) -> bytes:
    # A lone surrogate, which a form cannot send but a caller can, is no reason to fail.
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY)
