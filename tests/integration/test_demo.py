"""`python -m outlive.demo` as a visitor meets it: a process, its pages, its terminal, and what survives it."""

import inspect
import io
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image

from outlive.demo import __main__ as command
from outlive.demo.store import catalogue

Record = dict[str, Any]
ENDED = {"success", "failed", "interrupted", "cancelled", "rejected"}
ROWS = len(catalogue())


def wait_until(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Ask a server again and again, leaving it time to work, until it answers something truthy."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s: {inspect.getsource(look).strip()}"
        threading.Event().wait(0.05)
    return seen


class Shop:
    """One process of the demo and a client for it."""

    def __init__(self, folder: Path, log: Path, *arguments: str) -> None:
        self.folder = folder
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "outlive.demo", "--folder", str(folder), *(arguments or ("--port", "0"))],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(timeout=20, trust_env=False)

    def wait_until_ready(self) -> None:
        wait_until(lambda: "Press Ctrl-C" in self.terminal or self.process.poll() is not None)
        address = re.search(r"^Shop +(\S+)$", self.terminal, re.MULTILINE)
        assert address is not None, self.terminal
        self.client.base_url = httpx.URL(address[1])

    @property
    def terminal(self) -> str:
        return self._log.read_text()

    def stop(self, seconds: float = 10.0) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.kill()

    # -- what a visitor does -----------------------------------------------------------------------

    def order(self, picture: bytes | None = None, **fields: Any) -> str:
        """Place an order, with the sample picture if none is given; the order's path."""
        form = {"sku": "PC-A6", "email": "you@example.org", "copies": 1, "sample": picture is None} | fields
        files = None if picture is None else {"picture": ("mine.png", picture, "image/png")}
        response = self.client.post("/orders", data=form, files=files)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    def import_catalogue(self) -> None:
        assert self.client.post("/catalogue").status_code == 303

    # -- what a visitor sees -----------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def page(self, path: str) -> str:
        return self.client.get(path).raise_for_status().text

    def steps(self, order: str) -> dict[str, Record]:
        """The records that the order's page follows, by their function."""
        ids = re.findall(r'data-task="([^"]+)"', self.page(order))
        return {record["func_name"]: record for record in (self.get(f"/tasks/{task_id}") for task_id in ids)}

    def ended_steps(self, order: str) -> dict[str, Record]:
        def look() -> dict[str, Record] | None:
            steps = self.steps(order)
            return steps if all(record["status"] in ENDED for record in steps.values()) else None

        return wait_until(look)

    def records(self) -> list[Record]:
        return self.get("/tasks?limit=1000")

    def on_shelf(self) -> int:
        return len(self.get("/catalogue")["products"])


@pytest.fixture
def open_shop(tmp_path) -> Iterator[Callable[..., Shop]]:
    """Starts shops on one folder and waits until they serve."""
    shops: list[Shop] = []

    def start(*arguments: str) -> Shop:
        shop = Shop(tmp_path / "shop", tmp_path / f"terminal-{len(shops)}.txt", *arguments)
        shops.append(shop)
        shop.wait_until_ready()
        return shop

    yield start
    for shop in shops:
        shop.close()


def photo() -> bytes:
    """What a phone takes: wide pixels, and a note that the picture is to be shown upright."""
    content = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (1600, 1200), "teal").save(content, "JPEG", exif=exif)
    return content.getvalue()


def told(terminal: str, what: str) -> int:
    """The number in front of something in the terminal's lines."""
    line = re.search(rf"^ +(\d+) {what}", terminal, re.MULTILINE)
    assert line is not None, f"{what!r} is not in:\n{terminal}"
    return int(line[1])


def test_an_order_is_thumbnailed_confirmed_by_mail_after_a_retry_and_printed(open_shop) -> None:
    shop = open_shop()

    order = shop.order(photo(), copies=2, email="visitor@example.org")
    steps = shop.ended_steps(order)

    assert {name: record["status"] for name, record in steps.items()} == {
        "make_thumbnail": "success",
        "send_confirmation": "success",
        "print_copies": "success",
    }
    with Image.open(io.BytesIO(shop.client.get(f"{order}/thumbnail").content)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (360, 480))
    # The mail server refuses the first new message once.
    first, second = shop.get(f"/tasks/{steps['send_confirmation']['task_id']}")["attempts_history"]
    assert first["outcome"] == "failed"
    assert "451" in first["error"]
    assert second["outcome"] == "success"
    assert steps["send_confirmation"]["retries_used"] == 1
    (path,) = (shop.folder / "mail").iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert mail["To"] == "visitor@example.org"
    assert mail["Subject"] == f"Your order {order.removeprefix('/orders/')}"
    assert "2 x Postcard, A6" in mail.get_content()
    assert "visitor@example.org" in shop.page("/mailbox")
    assert order in shop.page("/")


def test_a_visitor_without_a_picture_orders_with_a_sample_one(open_shop) -> None:
    shop = open_shop()

    order = shop.order()
    steps = shop.ended_steps(order)

    assert steps["make_thumbnail"]["status"] == "success"
    with Image.open(io.BytesIO(shop.client.get(f"{order}/thumbnail").content)) as thumbnail:
        assert thumbnail.size == (640, 480)


def test_what_is_no_picture_fails_where_everybody_can_see_it(open_shop) -> None:
    shop = open_shop()

    steps = shop.ended_steps(shop.order(b"not a picture at all"))

    assert steps["make_thumbnail"]["status"] == "failed"
    assert "cannot identify image file" in steps["make_thumbnail"]["error"]
    assert steps["send_confirmation"]["status"] == "success"
    assert shop.stop() == 0
    assert "(2 success, 1 failed)" in shop.terminal or "(1 failed, 2 success)" in shop.terminal


def test_an_order_that_cannot_be_taken_leaves_no_task(open_shop) -> None:
    shop = open_shop()
    fields = {"sku": "PC-A6", "email": "you@example.org", "copies": "1"}

    without_picture = shop.client.post("/orders", data=fields, files={"picture": ("", b"")})
    unknown_product = shop.client.post("/orders", data=fields | {"sku": "NOWHERE", "sample": "true"})
    unknown_order = shop.client.get("/orders/00000000")

    assert (without_picture.status_code, unknown_product.status_code, unknown_order.status_code) == (422, 404, 404)
    assert "sample" in without_picture.json()["detail"]
    assert shop.records() == []


def test_what_a_visitor_types_is_text_on_the_pages(open_shop) -> None:
    shop = open_shop()

    page = shop.page(shop.order(email="<b>x</b>@example.org"))

    assert "&lt;b&gt;x&lt;/b&gt;@example.org" in page
    assert "<b>x</b>" not in page


def test_ctrl_c_drains_tells_what_was_done_and_the_next_start_goes_on(open_shop) -> None:
    shop = open_shop()
    shop.ended_steps(shop.order())
    shop.import_catalogue()
    wait_until(lambda: shop.on_shelf() > 4)

    assert shop.stop() == 0

    ran, left = told(shop.terminal, "ran"), told(shop.terminal, "left for the next run")
    assert ran + left == 3 + ROWS
    assert left > 0
    assert told(shop.terminal, "retried after a failed attempt") == 1
    assert told(shop.terminal, "recovered from the last run") == 0
    again = open_shop()
    assert told(again.terminal, rf"waiting: to run now \({left} import_product\)") == left


def test_after_kill_9_nothing_is_lost_and_the_next_start_tells_what_it_found(open_shop) -> None:
    shop = open_shop()
    order = shop.order(copies=20)
    shop.import_catalogue()
    wait_until(lambda: shop.on_shelf() > 4)
    wait_until(lambda: shop.steps(order)["send_confirmation"]["status"] == "success")
    before = {record["task_id"] for record in shop.records()}
    shop.kill()

    again = open_shop()
    wait_until(lambda: not {"pending", "running"} & {record["status"] for record in again.records()}, 30)

    records = again.records()
    assert {record["task_id"] for record in records} == before
    assert Counter((record["func_name"], record["status"]) for record in records) == {
        ("import_product", "success"): ROWS,
        ("print_copies", "interrupted"): 1,
        ("make_thumbnail", "success"): 1,
        ("send_confirmation", "success"): 1,
    }
    assert again.on_shelf() == ROWS
    waiting = told(again.terminal, r"waiting: to run now \(\d+ import_product\)")
    repeated = told(again.terminal, r"cut off, safe to repeat: to run again \(\d import_product\)")
    assert told(again.terminal, r"cut off, not safe to repeat: .* \(1 print_copies\)") == 1
    assert again.stop() == 0
    assert told(again.terminal, "recovered from the last run") == waiting + repeated
    assert told(again.terminal, "ran") == waiting + repeated
    assert told(again.terminal, "left for the next run") == 0


def test_a_person_runs_the_interrupted_printing_again(open_shop) -> None:
    shop = open_shop()
    order = shop.order()
    wait_until(lambda: shop.steps(order)["print_copies"]["status"] == "running")
    shop.kill()

    again = open_shop()
    printing = again.steps(order)["print_copies"]
    assert printing["status"] == "interrupted"
    again.client.post(f"/tasks/{printing['task_id']}/retry").raise_for_status()

    assert again.ended_steps(order)["print_copies"]["status"] == "success"


def test_a_second_shop_on_the_folder_leaves_the_first_ones_work_alone(open_shop) -> None:
    shop = open_shop()
    order = shop.order(copies=2)
    wait_until(lambda: shop.steps(order)["print_copies"]["status"] == "running")

    other = open_shop()

    assert "Left by the last run" not in other.terminal
    assert other.ended_steps(order)["print_copies"]["status"] == "success"


def test_a_port_that_is_taken_is_no_obstacle(open_shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        shop = open_shop("--port", str(port))

        assert f"Port {port} is taken" in shop.terminal
        assert shop.client.base_url.port != port
        assert "Halftone" in shop.page("/")


def test_without_its_packages_the_demo_names_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "PIL" else object())
    monkeypatch.setattr(sys, "argv", ["outlive.demo"])

    assert command.main() == 2
    assert "(PIL): pip install 'outlive[demo]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()

    ended = subprocess.run(
        [sys.executable, "-m", "outlive.demo", "--folder", str(tmp_path / "file" / "shop")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 1
    assert "name another with --folder" in ended.stderr
    assert "Traceback" not in ended.stderr
