"""What every script of the Redis backend is held to, and what is said about URLs and errors."""

import re
import sys
from importlib.resources import files

import pytest
from redis import exceptions
from redis.asyncio import Redis

from outlive import ConfigError, RedisBackend
from outlive.backends.redis import faults
from outlive.backends.redis.link import where
from outlive.backends.redis.scripts import compatible_from, headers, migrations, names, script, source
from outlive.backends.urls import backend_from
from outlive.core.states import TRANSITIONS, Event, TaskStatus, may
from outlive.errors import MissingExtraError

ALL = [*names(), *(f"moves/{name}" for name in names("moves"))]
SENT = [name for name in names() if name not in ("prelude", "indexes", "records", "leases")]
#: All of them are older than Redis 6.2.
STRINGS = {"del", "exists", "expire", "get", "incr", "mget", "mset", "publish", "set"}
HASHES_LISTS = {"hdel", "hget", "hgetall", "hincrby", "hmget", "hset", "lpush", "lrange", "ltrim", "rpush"}
NAMES_A_KEY = re.compile(r"(?:P \.\. |(?:enter|strike|put_in|take_out|keep_text|text_of)\()'([a-z_]+)")
SETS = {"sadd", "scard", "smembers", "srem"}
SORTED = {"zadd", "zcard", "zrange", "zrangebyscore", "zrem", "zrevrange", "zrangebylex", "zrevrangebylex", "zscore"}


def moves(name):
    for line in headers(source(name), "moves"):
        match = re.fullmatch(r"(\w+) (\w+) -> (\w+)", line)
        assert match, line
        event, before, after = match.groups()
        yield Event(event), None if before == "nothing" else TaskStatus(before), TaskStatus(after)


def test_every_declared_move_is_in_the_state_table_and_the_whole_table_is_covered():
    declared = {move for name in ALL for move in moves(name)}
    table = {(event, before, after) for (event, before), afters in TRANSITIONS.items() for after in afters}
    assert all(may(*move) for move in declared)
    assert declared == table


@pytest.mark.parametrize("name", ALL)
def test_every_script_that_writes_a_status_declares_its_moves(name):
    if name == "records":
        return  # does what the others declare
    written = set(re.findall(r"hset'[^)]*'status', '(\w+)'", source(name)))
    written |= set(re.findall(r"(?:finish|change_status)\(.*'(\w+)'(?:, at|, now)?\)", source(name)))
    assert written <= {after for _, _, after in moves(name)}


@pytest.mark.parametrize("name", ALL)
def test_every_script_says_what_it_does(name):
    assert re.match(r"-- [A-Z].*\.", source(name).replace("\n-- ", " "))


@pytest.mark.parametrize("name", SENT)
def test_every_script_uses_what_it_gets_and_no_more_than_redis_6_2_has(name):
    text = script(name).text
    assert "{moves}" not in text
    assert "-- " not in text
    commands = set(re.findall(r"(?:call|say)\('(\w+)'", text))
    assert commands <= STRINGS | HASHES_LISTS | SETS | SORTED


def test_migrations_are_numbered_without_gaps_and_say_what_they_keep():
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(1 <= compatible_from(text) <= number for number, text in migrations())


def test_the_layout_names_every_kind_of_key():
    described = migrations()[0][1]
    for name in SENT:
        for kind in re.findall(NAMES_A_KEY, script(name).text):
            assert re.search(rf"\b{kind}\b", described), (name, kind)


def test_scripts_are_files_of_the_package():
    folder = files("outlive.backends.redis")
    assert (folder / "scripts" / "prelude.lua").is_file()
    assert (folder / "migrations" / "001_initial.lua").is_file()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://example.org", "example.org:6379"),
        ("redis://example.org:7000/2?prefix=mine", "example.org:7000"),
        ("rediss://user:secret@example.org:7000/0", "example.org:7000"),
        ("valkey://example.org", "example.org:6379"),
        ("valkeys://example.org", "example.org:6379"),
        ("unix:///run/redis.sock?db=3&prefix=mine", "/run/redis.sock"),
        ("redis+sentinel://:secret@one,two:5/orders/3?prefix=mine", "the primary 'orders' that Sentinel knows"),
        ("rediss+sentinel://one:5/orders?sentinel_password=secret", "the primary 'orders' that Sentinel knows"),
    ],
)
def test_urls(url, expected):
    backend = backend_from(url)
    assert isinstance(backend, RedisBackend)
    assert backend._prefix == ("mine" if "mine" in url else "outlive")
    assert where(backend._make_client()) == expected


def test_the_parts_of_a_url_arrive_at_the_connection():
    kwargs = backend_from("rediss://user:p%20w@example.org:7000/2?socket_timeout=3")._make_client().connection_pool
    assert kwargs.connection_kwargs["username"] == "user"
    assert kwargs.connection_kwargs["password"] == "p w"
    assert kwargs.connection_kwargs["socket_timeout"] == 3
    assert kwargs.connection_kwargs["db"] == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RedisBackend("http://example.org"), "http"),
        (lambda: RedisBackend("redis://example.org:port/0"), "no URL of Redis"),
        (lambda: RedisBackend("redis+sentinel://one"), "a service"),
        (lambda: RedisBackend("redis+sentinel://one/orders?nonsense=1"), "nonsense"),
        (lambda: RedisBackend(prefix="a{b}"), "braces"),
        (lambda: RedisBackend(prefix=""), "without braces"),
        (lambda: RedisBackend(client="redis://localhost"), "redis.asyncio.Redis"),  # type: ignore[arg-type]
        (lambda: RedisBackend(client=Redis(), max_connections=3), "max_connections"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_given(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_missing_client_names_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("outlive.backends.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingExtraError, match=r"outlive\[redis\]"):
        backend_from("redis://localhost")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "replica"),
        (exceptions.OutOfMemoryError("command not allowed"), "maxmemory"),
        (exceptions.NoPermissionError("no permissions"), "EVALSHA"),
        (exceptions.BusyLoadingError("Redis is loading"), "loading"),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), "disk"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), "replicas"),
        (exceptions.ResponseError("-READONLY You can't write against a read only replica. script: x"), "replica"),
        (exceptions.ConnectionError("gone"), "cannot be reached"),
        (exceptions.MaxConnectionsError("Too many connections"), "max_connections"),
        (OSError("gone"), "cannot be reached"),
    ],
)
def test_errors_carry_their_remedy(error, remedy):
    told = faults.translate(error, "here")
    assert told is not None
    assert "Redis at here" in str(told)
    assert remedy in str(told)


@pytest.mark.parametrize("error", [exceptions.ResponseError("WRONGTYPE Operation against a key"), ValueError("x")])
def test_what_is_nobodys_fault_but_ours_stays_as_it_is(error):
    assert faults.translate(error, "here") is None
