"""`vidpost`: one command, whose subcommands are imported when they are called.

`vidpost --help` needs click alone: names and help lines stand here, so that neither pydantic nor
torch is imported before a command wants them.
"""

from __future__ import annotations

import difflib
import importlib
from typing import IO, Any, NamedTuple, NoReturn

import click

from vidpost import __version__


class Command(NamedTuple):
    """Where a subcommand lives.

    Attributes:
        module: Module to import.
        attribute: Name of the click command in it.
        section: Heading in the help.
        help: One line for the help.
    """

    module: str
    attribute: str
    section: str
    help: str


COMMANDS: dict[str, Command] = {
    "list": Command("vidpost.cli.browse", "list_", "Browse", "List entries, filtered and sorted."),
    "show": Command(
        "vidpost.cli.browse", "show", "Browse", "Show one entry and what points at it."
    ),
    "stats": Command("vidpost.cli.stats", "stats", "Browse", "Show how far the catalogue is."),
    "export": Command(
        "vidpost.cli.export", "export", "Browse", "BibTeX, CSL-JSON, CSV or README of a selection."
    ),
    "diff": Command("vidpost.cli.diff", "diff", "Browse", "Show what a method changes."),
    "add": Command("vidpost.cli.add", "add", "Contribute", "Add a paper to the catalogue."),
    "check": Command("vidpost.cli.check", "check", "Contribute", "Check catalogue and contracts."),
    "rename": Command("vidpost.cli.rename", "rename", "Contribute", "Give an entry another id."),
    "watch": Command("vidpost.cli.watch", "watch", "Contribute", "List new works on arXiv."),
    "links": Command("vidpost.cli.links", "links", "Contribute", "Ask every address (nightly)."),
    "card": Command("vidpost.cli.card", "card", "Contribute", "Show or promote a result card."),
    "schema": Command("vidpost.cli.browse", "schema", "Contribute", "Print the JSON Schema."),
    "site": Command("vidpost.cli.site", "site", "Contribute", "Build or serve the site."),
    "run": Command("vidpost.cli.train", "run", "Run", "Run a method: train, evaluate, card."),
    "eval": Command(
        "vidpost.cli.evaluate", "evaluate", "Run", "Evaluate a model, on benchmarks too."
    ),
    "ask": Command("vidpost.cli.ask", "ask", "Run", "Ask a model about your own video."),
    "tts": Command("vidpost.cli.tts", "tts", "Run", "Accuracy against compute, several methods."),
    "cot": Command("vidpost.cli.cot", "cot", "Run", "Make chain-of-thought training data."),
    "claim": Command("vidpost.cli.train", "claim", "Run", "Test a method's claim over seeds."),
    "score": Command(
        "vidpost.cli.score", "score", "Run", "Score prediction logs under any project's rules."
    ),
    "rewards": Command("vidpost.cli.rewards", "rewards", "Run", "Check and compare reward rules."),
    "doctor": Command("vidpost.cli.train", "doctor", "Run", "Check this machine and installation."),
}
"""Name -> where it lives, in the order of the help."""

MEANT = {"search": "list", "find": "list", "ls": "list", "train": "run", "new": "add",
         "lint": "check", "validate": "check", "test": "check", "evaluate": "eval"}  # fmt: skip
"""Words that people try first -> the command that does it."""

GOES_ON = {"claim", "cot", "eval", "links", "tts"}
"""Commands that keep what is done, so that a second start goes on from there."""

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


class UserError(click.ClickException):
    """A user's mistake: one message, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints it in the form that `vidpost check` and `vidpost run` have, too."""
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class LazyGroup(click.Group):
    """A group that imports a subcommand only to call it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports the module of a subcommand; hyphens and underscores are one."""
        where = COMMANDS.get(name.replace("_", "-"))
        if where is None:
            return None
        try:
            command = getattr(importlib.import_module(where.module), where.attribute, None)
        except ModuleNotFoundError as error:
            if error.name is None or error.name == where.module:
                raise UserError(f"'{name}' is not part of this installation.") from error
            raise UserError(
                f"'{name}' needs the package {error.name.split('.')[0]}. "
                'Install it with: pip install "vidpost[train]"'
            ) from error
        if not isinstance(command, click.Command):
            raise UserError(f"'{name}' is not part of this installation.")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggests the nearest command for an unknown one."""
        name = args[0]
        if not name.startswith("-") and name.replace("_", "-") not in COMMANDS:
            near = MEANT.get(name) or next(iter(difflib.get_close_matches(name, COMMANDS, n=1)), "")
            hint = f"Did you mean '{near}'?" if near else "`vidpost --help` lists all."
            raise UserError(f"no command '{name}'. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands by section, without importing any."""
        for section in dict.fromkeys(command.section for command in COMMANDS.values()):
            rows = [(name, c.help) for name, c in COMMANDS.items() if c.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Turns the catalogue's errors, Ctrl-C and a closed standard input into one message."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _stop(ctx)
        except click.Abort as error:  # of a prompt; click hides why, but keeps it
            if isinstance(error.__context__, EOFError):
                message = "a question, but standard input is closed. Give options, or --no-input."
                raise UserError(message) from None
            _stop(ctx)
        except Exception as error:
            from vidpost.catalog.diagnostics import CatalogError

            if isinstance(error, CatalogError):
                raise UserError(str(error)) from error
            raise


def _stop(ctx: click.Context) -> NoReturn:
    """Ends after Ctrl-C, and says how to go on."""
    goes_on = ctx.invoked_subcommand in GOES_ON
    hint = "goes on where it stopped" if goes_on else "starts again"
    click.echo(f"\nstopped. The same command {hint}.", err=True)
    raise click.exceptions.Exit(STOPPED)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples:  vidpost list methods --pillar rl   |   vidpost show video-r1   |   "
    "vidpost run video-r1 --smoke",
)
@click.version_option(__version__, prog_name="vidpost")
def main() -> None:
    """The executable survey of Video-LMM post-training."""


if __name__ == "__main__":
    main()
