"""`python -m outlive.demo`: reads the arguments and starts the shop."""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("aiosmtpd", "aiosmtplib", "multipart", "PIL", "uvicorn")


def main() -> int:
    options = _read_arguments()
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(f"The demo needs more packages ({', '.join(missing)}): pip install 'outlive[demo]'", file=sys.stderr)
        return 2
    os.environ["SHOP_FOLDER"] = str(options.folder)
    try:
        # Only now: the shop needs those packages, and reads the folder's name as it is imported.
        from outlive.demo.host import run  # noqa: PLC0415
    except OSError as error:
        print(f"The folder {options.folder} cannot be used ({error}); name another with --folder", file=sys.stderr)
        return 1
    return run(options.port)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m outlive.demo", description="A print shop with durable tasks.")
    parser.add_argument("--folder", type=Path, default=Path("outlive-demo"), help="where everything is kept")
    parser.add_argument("--port", type=_port, default=8000, help="0, or one that is taken, finds a free one")
    return parser.parse_args()


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is no port; a port is a number from 0 to 65535")
    return number


if __name__ == "__main__":
    sys.exit(main())
