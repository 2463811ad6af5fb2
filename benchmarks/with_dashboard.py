"""The bars of what runs in one process, once more while a dashboard is open."""

from benchmarks import drain, latency
from benchmarks.measure import Options, Section
from benchmarks.watching import is_open

METHOD = """\
"Enqueue to done, in process" and "Enqueue to start, idle" as above, while somebody looks at the overview of the same
manager: its stream is read, and the page is fetched after a hint, in the same process. `--dashboard` does this to
all measures that run tasks in the process that measures."""


def run(options: Options) -> Section:
    """Measure both again."""
    token = is_open.set(True)
    try:
        found = [one for measure in (drain, latency) for one in measure.run(options).rows if one.verdict]
    finally:
        is_open.reset(token)
    return Section("With a dashboard open", METHOD, "beside", found)
