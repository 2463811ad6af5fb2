"""The commands, put together."""

import typer

from outlive.cli import checking, looking, measuring, tasks, upkeep, working

app = typer.Typer(
    name="outlive",
    help="Look after background tasks that outlive the request, the process and the machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for module in (working, tasks, looking, upkeep, checking, measuring):
    module.add_to(app)
