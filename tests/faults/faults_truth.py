"""Compares what the records say after a crash with what the bodies themselves wrote down."""

from collections import Counter

from tests.faults.faults_kit import ENDED, Note, Record

#: Tasks of `apps/ledger.py` that were declared safe to repeat.
REPEATABLE = frozenset({"repeatable", "repeatable_minute"})
FAILING = frozenset({"failing", "failing_thread"})

#: At most this many starts per lane may be committed whose body has not begun (docs/decisions/0002).
STARTING = 96
LANES = 2


class Truth:
    """The records at the end of a run, beside the ledger; `dead` are the processes that were killed."""

    def __init__(self, records: dict[str, Record], notes: list[Note], dead: set[int]) -> None:
        self._records = records
        self._dead = dead
        self._notes: dict[str, list[Note]] = {}
        for note in notes:
            self._notes.setdefault(note.task_id, []).append(note)
        self.counts: Counter[str] = Counter()

    def check(self, accepted: list[str], reported: dict[str, str]) -> Counter[str]:
        """Judge every record, those that no client was told of included; fail at the first contradiction."""
        lost = [task_id for task_id in accepted if task_id not in self._records]
        assert not lost, f"{len(lost)} accepted tasks are unknown: {lost[:5]}"
        unheard_of = set(self._notes) - set(self._records)
        assert not unheard_of, f"bodies ran without a record: {unheard_of}"
        for task_id, status in reported.items():
            assert self._records[task_id]["status"] == status, f"{task_id} had been reported as {status}"
        for task_id, record in self._records.items():
            self._judge(task_id, record)
        assert self.counts["interrupted before its body began"] <= STARTING * LANES
        self.counts.update(accepted=len(accepted), reported=len(reported))
        return self.counts

    def _judge(self, task_id: str, record: Record) -> None:
        assert record["status"] in ENDED, record
        self.counts["records"] += 1
        self.counts[record["status"]] += 1
        begins = self._of(task_id, "begin")
        self._check_no_doubles(task_id, record, begins)
        if record["status"] == "interrupted":
            self._judge_interrupted(task_id, record, begins)
        else:
            self._judge_ended(task_id, record, begins)

    def _check_no_doubles(self, task_id: str, record: Record, begins: list[Note]) -> None:
        by_process = Counter((note.pid, note.attempt) for note in begins)
        assert max(by_process.values(), default=0) <= 1, f"{task_id} began twice in one process: {begins}"
        by_attempt = Counter(note.attempt for note in begins)
        if record["func_name"] not in REPEATABLE:
            assert max(by_attempt.values(), default=0) <= 1, f"{task_id} ran twice: {begins}"
        elif max(by_attempt.values(), default=0) > 1:
            assert begins[0].pid in self._dead, f"{task_id} was repeated though nobody had died: {begins}"
            self.counts["repeated as declared"] += 1

    def _judge_interrupted(self, task_id: str, record: Record, begins: list[Note]) -> None:
        assert record["func_name"] not in REPEATABLE, f"{task_id} was to be repeated"
        assert "died" in record["reason"], record
        last = [note for note in begins if note.attempt == record["attempts"] - 1]
        assert not [note for note in begins if note.attempt >= record["attempts"]], begins
        if not last:
            self.counts["interrupted before its body began"] += 1
            return
        assert last[0].pid in self._dead, f"{task_id} is interrupted though its process lives"
        if any(note.attempt == last[0].attempt for note in self._of(task_id, "end")):
            self.counts["interrupted after its body ended"] += 1

    def _judge_ended(self, task_id: str, record: Record, begins: list[Note]) -> None:
        assert begins, f"{task_id} is {record['status']} and never ran"
        ends = self._of(task_id, "end")
        assert ends, f"{task_id} is {record['status']} and never came to its end"
        expected = "raised" if record["func_name"] in FAILING else "ok"
        assert ends[-1].text == expected, f"{task_id}: {ends}"
        assert record["status"] == {"ok": "success", "raised": "failed"}[expected], record
        assert len({note.attempt for note in begins}) == record["attempts"], f"{task_id}: {begins}, {record}"
        if begins[0].pid not in self._dead:
            self.counts["first run after the crash"] += 1

    def _of(self, task_id: str, what: str) -> list[Note]:
        return [note for note in self._notes.get(task_id, []) if note.what == what]
