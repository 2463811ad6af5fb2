"""The scripts that others wrote are what they published, and come with their licences."""

import hashlib
import tomllib
from importlib.resources import files

FOLDER = files("outlive.admin") / "static" / "vendor"


def test_vendored_files_are_as_they_were_published():
    packages = tomllib.loads((FOLDER / "vendor.toml").read_text())
    listed = {file: digest for package in packages.values() for file, digest in package["sha256"].items()}
    present = {
        entry.name: hashlib.sha256(entry.read_bytes()).hexdigest()
        for entry in FOLDER.iterdir()
        if entry.name != "vendor.toml"
    }
    assert present == listed
    assert all(any("LICENSE" in file for file in package["sha256"]) for package in packages.values())
