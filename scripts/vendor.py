"""Holds the scripts that others wrote to what they published: `python scripts/vendor.py [update]`.

`static/vendor/vendor.toml` lists packages, versions, the registry's own integrity, and a hash for each file. Without an
argument the files are compared with it, offline. With `update` they are fetched by npm at the listed versions, checked
against the integrity (an empty one is filled in), and their hashes are written anew.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "src/outlive/admin/static/vendor"
LIST = FOLDER / "vendor.toml"


def main() -> int:
    """Check, or update first."""
    packages: dict[str, Any] = tomllib.loads(LIST.read_text())
    if sys.argv[1:] == ["update"]:
        for name, package in packages.items():
            fetch(name, package)
        write(packages)
    faults = check(packages)
    print(*faults or ["vendored scripts: as published"], sep="\n")
    return 1 if faults else 0


def check(packages: dict[str, Any]) -> list[str]:
    """What is not as the list says."""
    listed = {file: digest for package in packages.values() for file, digest in package["sha256"].items()}
    present = {path.name: sha256(path.read_bytes()) for path in FOLDER.iterdir() if path != LIST}
    return [
        f"{name}: {'not listed' if name not in listed else 'missing' if name not in present else 'changed'}"
        for name in sorted(listed.keys() | present.keys())
        if listed.get(name) != present.get(name)
    ]


def fetch(name: str, package: dict[str, Any]) -> None:
    """The files of one package, from the registry."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{name}@{package['version']}"], cwd=folder, check=True)  # noqa: S607
        (archive,) = Path(folder).glob("*.tgz")
        digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if package.setdefault("integrity", digest) != digest:
            raise SystemExit(f"{name} {package['version']} is not what it was: {digest}")
        with tarfile.open(archive) as files:
            for source, target in package["files"].items():
                content = files.extractfile(f"package/{source}")
                if content is None:
                    raise SystemExit(f"{name} {package['version']} has no file {source}")
                (FOLDER / target).write_bytes(content.read())
    package["sha256"] = {target: sha256((FOLDER / target).read_bytes()) for target in package["files"].values()}


def write(packages: dict[str, Any]) -> None:
    """The list, under the comments that it begins with."""
    lines = [line for line in LIST.read_text().splitlines() if line.startswith("#")]
    for name, package in packages.items():
        lines += ["", f'["{name}"]', *(f'{key} = "{package[key]}"' for key in ("version", "licence", "integrity"))]
        for table in ("files", "sha256"):
            lines += ["", f'["{name}".{table}]', *(f'"{key}" = "{value}"' for key, value in package[table].items())]
    LIST.write_text("\n".join(lines) + "\n")


def sha256(content: bytes) -> str:
    """The hash of a file."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
