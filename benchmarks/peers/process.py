"""The side of the benchmark: makes an environment, starts an adapter in it, asks."""

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Self, cast

ROOT = Path(__file__).resolve().parent.parent.parent
#: Environments are kept here for the next run.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "outlive-bench"

_VERSIONS = (
    "import json, sys; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
)


class PeerError(Exception):
    """A peer could not be installed or started, or has failed."""


def environment(packages: Sequence[str], python: str = "") -> Path:
    """The Python of an environment with these packages, made where there is none yet.

    `python` is the version that they need (`3.12`), by default the one that runs this.
    """
    if not packages:
        return Path(sys.executable)
    name = hashlib.sha256(json.dumps([python or sys.version, *packages]).encode()).hexdigest()[:16]
    folder = CACHE / name
    made = folder / "bin" / "python"
    if not (folder / "complete").exists():
        _make(folder, python)
        _run([made, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], ", ".join(packages))
        (folder / "complete").touch()
    return made


def make(environments: Iterable[Callable[[], object]]) -> None:
    """Make what is not there yet; who cannot have one says so when it is measured."""
    for one in environments:
        with suppress(PeerError):
            one()


def _make(folder: Path, python: str) -> None:
    if python:
        _run([f"python{python}", "-m", "venv", "--clear", folder], f"an environment of Python {python}", python)
    else:
        venv.create(folder, with_pip=True, clear=True)


def _run(command: Sequence[Path | str], what: str, python: str = "") -> None:
    variables = os.environ | ({"PYENV_VERSION": python} if python else {})
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    except OSError as error:
        raise PeerError(f"{what} cannot be had: {error}") from error
    if done.returncode:
        raise PeerError(f"{what} cannot be had: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def versions(python: Path, names: Sequence[str]) -> dict[str, str]:
    """The versions of these packages in an environment."""
    done = subprocess.run([python, "-c", _VERSIONS, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


class Peer:
    """An adapter in a process, which does what it is asked when it is ready."""

    def __init__(self, command: Sequence[Path | str], variables: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "ignore"} | dict(variables or {}),
        )
        self._words = cast("IO[str]", self.process.stdin)
        self._answers = cast("IO[str]", self.process.stdout)
        self._complaints = cast("IO[str]", self.process.stderr)

    def wait(self) -> None:
        """Until it is ready; `PeerError` if it cannot be."""
        self._hear()

    def ask(self, do: str, **given: object) -> dict[str, Any]:
        """What it answers; `PeerError` if it fails."""
        try:
            self._words.write(json.dumps({"do": do} | given) + "\n")
            self._words.flush()
        except BrokenPipeError as error:
            raise PeerError("it has ended") from error
        return self._hear()

    def sample(self) -> float:
        """One sample of the only thing that it measures."""
        return float(self.ask("sample")["value"])

    def _hear(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise PeerError((self._complaints.read().strip().splitlines() or ["it ended without a word"])[-1])
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def close(self) -> None:
        """End it."""
        self._words.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._answers.close()
        self._complaints.close()

    def __enter__(self) -> Self:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def started(starting: Mapping[str, Callable[[], Peer]]) -> Iterator[tuple[dict[str, Peer], dict[str, str]]]:
    """Those that could be started, which they do beside each other, and why the others could not."""
    begun: dict[str, Peer] = {}
    failures: dict[str, str] = {}
    try:
        for name, start in starting.items():
            try:
                begun[name] = start()
            except PeerError as error:
                failures[name] = str(error)
        for name, peer in begun.items():
            try:
                peer.wait()
            except PeerError as error:
                failures[name] = str(error)
        yield {name: peer for name, peer in begun.items() if name not in failures}, failures
    finally:
        for peer in begun.values():
            peer.close()


def script(folder: Path, name: str, cases: Sequence[str], python: Path | str) -> dict[str, Callable[[], Peer]]:
    """How each case of a script is started that runs without outlive's own packages."""
    return {case: partial(Peer, [python, ROOT / "benchmarks" / name, case, str(folder)]) for case in cases}
