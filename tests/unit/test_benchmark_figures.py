"""What the benchmarks conclude from what they measure."""

import time
from dataclasses import replace
from pathlib import Path

import benchmarks.__main__ as main
import pytest
from benchmarks import copies, growth, lists
from benchmarks.bars import BARS, overview, verdict
from benchmarks.measure import Options, Row, Section, at_least, at_most
from benchmarks.model import Demand, Load, capacity, demand, fit
from benchmarks.page import WHY
from benchmarks.scaling_page import BEGIN, END, updated


def seen(rate, wait, seconds):
    return Load(rate, wait, seconds, seconds, seconds / 2)


def test_a_demand_is_found_again_from_three_loads():
    real = Demand(own=30e-6, shared=200e-6, together=1e-3)

    found = demand(*((rate, real.at(rate)) for rate in (100, 3_000, 15_000)))

    assert [found.at(rate) for rate in (500, 8_000)] == pytest.approx([real.at(500), real.at(8_000)], rel=0.05)


def test_a_demand_that_grows_when_busy_is_still_one():
    found = demand((100, 20e-6), (1_000, 30e-6), (10_000, 40e-6))

    assert found.at(10_000) == pytest.approx(40e-6)
    assert min(found.own, found.shared) >= 0


def test_a_model_waits_as_measured_where_it_was_fitted_and_longer_beyond():
    idle, busy, full = seen(100, 1.0, 200e-6), seen(4_000, 3.0, 100e-6), seen(15_000, 9.0, 60e-6)

    model = fit(full, idle, busy)

    assert model.wait(busy.rate) == pytest.approx(3.0, rel=0.05)
    assert model.wait(1_000) < model.wait(4_000) < model.wait(8_000)
    assert model.used(model.rate_at(0.5)) == pytest.approx(0.5)


def test_a_server_of_twice_the_processors_carries_twice_as_much():
    full = seen(15_000, 9.0, 60e-6)

    assert capacity(full, 4) == pytest.approx(2 * capacity(full, 2))
    assert capacity(Load(1, 1, 1, 1, 0), 2) is None


def test_an_exponent_tells_twice_the_work_from_four_times():
    assert growth.exponent((10, 100, 1_000), (1, 10, 100)) == pytest.approx(1)
    assert growth.exponent((10, 100, 1_000), (1, 100, 10_000)) == pytest.approx(2)


def test_a_bar_names_what_misses_it_and_by_how_much():
    section = Section("SQLite: accepting", "", rows=[at_least("bulk", 0.3, 0.4, "x raw"), at_most("late", 1, 2, "ms")])
    bar = next(bar for bar in BARS if bar.measure.startswith("SQLite: 100 waiters"))

    assert verdict(bar, [section]).startswith("**missed** in 1 of 2: bulk: missed by 0.10 x raw. Why: [")
    assert verdict(bar, []) == "not measured"


def test_a_bar_that_is_missed_says_where_it_stands_why():
    reasons = {line.removeprefix("### ") for line in WHY.read_text(encoding="utf-8").splitlines() if line[:4] == "### "}

    assert {heading for bar in BARS for heading in bar.why} == reasons


def test_a_measure_that_fails_or_hangs_or_is_not_there_says_so_and_stops_no_other(monkeypatch, capsys):
    def hang(_):
        time.sleep(30)  # noqa: TID251 - stands for what never ends

    monkeypatch.setattr(main, "LONGEST", 0.05)
    monkeypatch.setattr(growth, "run", hang)
    monkeypatch.setattr(lists, "run", lambda _: 1 / 0)
    names = ("growth", "lists", "no_such_measure")

    told = [main.measure(name, Options(full=False, folder=Path())).method.split(":")[1] for name in names]

    assert told == [" TimeoutError", " ZeroDivisionError", " ModuleNotFoundError"]


async def test_copies_are_as_many_as_asked_for_and_like_what_was_copied(tmp_path):
    store = copies.sqlite(tmp_path / "tasks.db")
    await store.backend.open()

    await store.fill(3 * copies.MODEL)

    assert await store.backend.counts() == {"success": 5940, "failed": 60}
    model, copy = [await store.backend.get(copies.id_of(at, 20)) for at in (0, 1)]
    assert model == replace(copy, id=model.id)
    await store.backend.close()


def test_every_bar_is_in_the_overview_of_a_run_that_measured_nothing():
    assert len(overview([]).lines) == len(BARS)


def test_a_run_without_figures_leaves_the_page_as_it_is():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert updated(text, [Section("Queues", "", rows=[Row("drain", "1 /s")])], [], "") == text


def test_the_long_form_has_more_rounds_than_the_short_one():
    short, full = Options(full=False, folder=Path()), Options(full=True, folder=Path())

    assert 2 <= short.rounds(2) <= short.rounds(5) < full.rounds(5)
