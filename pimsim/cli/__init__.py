"""The command line: one file a command, each imported only when it is called."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from typing import NoReturn

import click

from pimsim import __version__
from pimsim.errors import PimsimError

_COMMANDS = {  # name: (module, help line)
    "run": ("pimsim.cli.run", "Simulate a trace on a chip."),
    "map": ("pimsim.cli.map", "Map a trace on a chip, and save the plan."),
    "show": ("pimsim.cli.show", "Show where the time and energy of a saved run went."),
    "compare": ("pimsim.cli.compare", "Compare saved runs of one model, and say why they differ."),
    "whatif": ("pimsim.cli.whatif", "Say what a faster or a larger part would win."),
    "accuracy": ("pimsim.cli.accuracy", "Compute what a model answers on a chip, beside time and energy."),
    "report": ("pimsim.cli.report", "Write saved runs as one HTML page that works offline."),
    "noc": ("pimsim.cli.noc", "Simulate a network on its own."),
    "memory": ("pimsim.cli.memory", "Simulate a memory on its own."),
    "trace": ("pimsim.cli.trace", "Export, import, check and show traces, with data statistics."),
    "chip": ("pimsim.cli.chip", "List, show and check chips."),
}

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class LazyGroup(click.Group):
    """A group that knows its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that was asked for."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their help lines, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pimsim")
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="MODULE",
    help="Import a module with kinds of sites, parts, devices or topologies of your own; repeatable.",
)
@click.option("-v", "--verbose", is_flag=True, help="Of a plug-in that fails, show its own error, too.")
def cli(plugins: tuple[str, ...], verbose: bool) -> None:
    """Simulate processing-in-memory chips, cycle by cycle."""
    if plugins:
        from pimsim.registry import load_module

        for name in plugins:
            load_module(name)


def main() -> None:
    """Run the command line; a user's mistake is one message on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the locale cannot write is no failure
    try:
        cli(prog_name="pimsim", standalone_mode=False)
        sys.stdout.flush()  # here, where what goes wrong can still be told
    except PimsimError as error:
        _leave(f"error: {error}{_own_error(error)}", error.exit_code)
    except click.ClickException as error:
        error.show()
        _leave("", error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _leave("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _leave("", 1)
    except OSError as error:  # a full disk behind stdout; files have errors of their own
        _leave(f"error: {error.filename or 'standard output'}: {error.strerror or error}", 2)


def _own_error(error: PimsimError) -> str:
    """Return the error of a plug-in or a model behind one of pimsim's, where the command line asks for it."""
    if error.__cause__ is None or not {"-v", "--verbose"} & set(sys.argv[1:]):
        return ""
    return "\n" + "".join(traceback.format_exception(error.__cause__)).rstrip()


def _leave(message: str, code: int) -> NoReturn:
    """Say a last word and end, with nothing left that the interpreter would try to write."""
    if message:
        click.echo(message, err=True)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
