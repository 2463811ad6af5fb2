"""Passwords, roles, and the brake on guessing. No server."""

from typing import Any

import pytest
from fastapi import HTTPException

from outlive import ConfigError, MemoryBackend, TaskAuthBackend, hash_password
from outlive.admin.access import ACTIONS, RANKS, Access, AdminUser
from outlive.admin.credentials import PasswordList, authenticate, user_of
from outlive.admin.pages.tasks import neutral
from outlive.admin.sessions import ATTEMPTS, WINDOW, Brake

VIEWER, OPERATOR, ADMIN = AdminUser("vera", "viewer"), AdminUser("oscar", "operator"), AdminUser("ada", "admin")


# -- passwords ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["sesame", "pässwörd \N{SNOWMAN}", "x" * 500])
async def test_a_password_belongs_to_its_name(password):
    people = PasswordList([("ann", password, "viewer"), ("bea", hash_password(password))])

    assert await authenticate(people, "ann", password) == AdminUser("ann", "viewer")
    assert await authenticate(people, "bea", password) == AdminUser("bea", "admin")
    for name, wrong in [("ann", password + "x"), ("ann", ""), ("carl", password), ("", ""), ("ANN", password)]:
        assert await authenticate(people, name, wrong) is None


async def test_a_lone_surrogate_is_a_wrong_password():
    assert await authenticate(PasswordList([("ann", "sesame")]), "ann", "\ud800") is None


def test_a_hash_does_not_show_the_password_and_is_new_each_time():
    assert "sesame" not in hash_password("sesame")
    assert hash_password("sesame") != hash_password("sesame")


WRONG: list[Any] = [
    [],
    [("ann",)],
    [("ann", "")],
    [("", "sesame")],
    [("ann", "s", "king")],
    [("ann", 3)],
    [("ann", "scrypt$x")],
]


@pytest.mark.parametrize("credentials", WRONG)
def test_credentials_that_make_no_sense_are_refused(credentials):
    with pytest.raises(ConfigError):
        PasswordList(credentials)


async def test_somebody_who_is_no_longer_on_the_list_is_nobody():
    people = PasswordList([("ann", "sesame")])
    assert await user_of(people, "ann") == AdminUser("ann")
    assert await user_of(people, "bea") is None


async def test_a_directory_of_the_application():
    class Directory(TaskAuthBackend):
        def authenticate_user(self, username: str, password: str) -> bool:
            return password == username[::-1]

        def role_of(self, username: str):
            return "operator"

    assert await authenticate(Directory(), "ann", "nna") == AdminUser("ann", "operator")
    assert await authenticate(Directory(), "ann", "ann") is None


# -- guessing ----------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def brakes(clock: Clock) -> tuple[Brake, Brake]:
    """The brakes of two processes on one backend."""
    leases = MemoryBackend().leases
    return Brake(lambda: leases, clock), Brake(lambda: leases, clock)


async def test_guessing_is_slowed_down_for_a_name_and_for_an_address_whichever_process_is_asked():
    clock = Clock()
    one, other = brakes(clock)
    for guess in range(ATTEMPTS):
        await (other if guess % 2 else one).count("name ann", f"address {guess}")

    for brake in (one, other):
        with pytest.raises(HTTPException) as told:
            await brake.count("name ann", "address new")
        assert (told.value.status_code, told.value.headers) == (429, {"Retry-After": "60"})
    await one.count("name bea", "address 1")

    clock.now = WINDOW - 1
    with pytest.raises(HTTPException) as told:
        await other.count("name ann")
    assert told.value.headers == {"Retry-After": "1"}
    clock.now = WINDOW
    await other.count("name ann")


async def test_a_try_that_is_refused_counts_for_nobody():
    one, _ = brakes(Clock())
    for guess in range(ATTEMPTS):
        await one.count("address bad", f"name {guess}")
    for _ in range(ATTEMPTS):
        with pytest.raises(HTTPException):
            await one.count("name ann", "address bad")
    await one.count("name ann", "address good")


async def test_a_right_password_is_forgiven_earlier_ones_in_every_process():
    one, other = brakes(Clock())
    for _ in range(ATTEMPTS):
        await one.count("name ann")
    await other.forgive("name ann")
    await one.count("name ann")


# -- roles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_action_has_its_least_role(action):
    access = Access()
    for user in (VIEWER, OPERATOR, ADMIN):
        allowed = RANKS[user.role] >= RANKS[ACTIONS[action]]
        assert access.may(user, action) is allowed
        if allowed:
            await access.check(user, action)
        else:
            with pytest.raises(HTTPException) as told:
                await access.check(user, action)
            assert (told.value.status_code, "needs the role" in told.value.detail) == (403, True)


def test_a_viewer_may_do_nothing():
    assert not any(Access().may(VIEWER, action) for action in ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
async def test_read_only_is_for_everybody(action):
    access = Access(read_only=True)
    assert not access.may(ADMIN, action)
    with pytest.raises(HTTPException) as told:
        await access.check(ADMIN, action)
    assert "read-only" in told.value.detail


async def test_the_hook_has_the_last_word():
    asked = []

    async def authorize(user: AdminUser, action: str, target: str | None) -> bool:
        asked.append((user.name, action, target))
        return target == "mine"

    access = Access(authorize=authorize)
    await access.check(OPERATOR, "task.retry", "mine")
    with pytest.raises(HTTPException) as told:
        await access.check(OPERATOR, "task.retry", "yours")
    assert "oscar may not do" in told.value.detail
    with pytest.raises(HTTPException):
        await access.check(OPERATOR, "lock.release", "mine")
    assert asked == [("oscar", "task.retry", "mine"), ("oscar", "task.retry", "yours")]


# -- spreadsheets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell):
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "plain", "1-1", "'=1"])
def test_other_cells_stay_as_they_are(cell):
    assert neutral(cell) == cell
