"""The help: every command has an example, and every example is a command that click accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vidpost.cli.main import main


def commands(group: click.Group, name: str = "vidpost") -> Iterator[tuple[str, click.Command]]:
    """(name, command) of a group, of its commands, and of theirs."""
    yield name, group
    context = click.Context(group)
    for part in group.list_commands(context):
        command = group.get_command(context, part)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


HELP = {
    name: CliRunner().invoke(main, [*name.split()[1:], "--help"], prog_name="vidpost").output
    for name, _ in commands(main)
}


def examples(text: str) -> list[str]:
    """The command lines of a help text: without remarks, redirections and ellipses."""
    text = re.split(r"Examples?:", re.sub(r"\\\n\s+", "", text), maxsplit=1)[-1]
    lines = re.split(r"\n|   \|   ", text)
    found = [re.split(r"\s{2,}| < | > ", line.strip())[0] for line in lines]
    return [line for line in found if line.startswith("vidpost ") and "..." not in line]


def test_the_walk_finds_groups_and_their_commands() -> None:
    assert {"vidpost", "vidpost site build", "vidpost card promote", "vidpost check"} <= set(HELP)


@pytest.mark.parametrize("name", HELP)
def test_every_help_has_an_example_that_click_accepts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the command itself is not run, and its files need not exist."""
    found = examples(HELP[name])
    assert "Example" in HELP[name]
    assert any(line.startswith(" ".join(name.split()[:2])) for line in found)
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: None)
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, context: Path(value))
    for line in found:
        result = CliRunner().invoke(main, shlex.split(line)[1:], prog_name="vidpost")
        assert result.exit_code == 0, f"{line}\n{result.output}"
