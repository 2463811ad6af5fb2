"""Other systems, each measure's in an environment of their own, asked sample by sample over a pipe."""

import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

HERE = Path(__file__).resolve().parent


class PeerError(Exception):
    """A peer could not be installed or started."""


def install(folder: Path, packages: Sequence[str]) -> Path:
    """Make an environment with these packages; its Python."""
    python = folder / "bin" / "python"
    venv.create(folder, with_pip=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PeerError(f"pip could not install {', '.join(packages)}: {done.stderr.strip().splitlines()[-1]}")
    return python


class Peer:
    """A script in a process that measures one sample whenever it is asked."""

    def __init__(self, python: Path | str, script: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [python, "-W", "ignore", HERE / script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._words = cast("IO[str]", self.process.stdin)
        self._answers = cast("IO[str]", self.process.stdout)
        self._complaints = cast("IO[str]", self.process.stderr)
        self._hear()

    def sample(self) -> float:
        """One sample."""
        self._words.write("\n")
        self._words.flush()
        return float(self._hear())

    def _hear(self) -> str:
        line = self._answers.readline().strip()
        if not line:
            raise PeerError((self._complaints.read().strip().splitlines() or ["it ended without a word"])[-1])
        return line

    def close(self) -> None:
        """End it."""
        self._words.close()
        self.process.wait(30)


@contextmanager
def started(
    folder: Path, script: str, cases: Sequence[str], python: Path | str = sys.executable
) -> Iterator[tuple[dict[str, Peer], dict[str, str]]]:
    """The cases of a script that could be started, and why the others could not."""
    peers: dict[str, Peer] = {}
    failures: dict[str, str] = {}
    try:
        for case in cases:
            try:
                peers[case] = Peer(python, script, case, folder)
            except PeerError as error:
                failures[case] = str(error)
        yield peers, failures
    finally:
        for peer in peers.values():
            peer.close()
