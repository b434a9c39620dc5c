"""Fills the page `commands` with every command's flags, from the signatures and docstrings that `--help` shows too."""

import importlib
import inspect
import textwrap
from typing import Literal, get_args, get_origin

import docstring_parser
from cyclopts.argument import Argument

from st3d.workflow.command_line import command_line
from st3d.workflow.stages import COMMANDS

PAGE = "commands"
UNBROKEN = "\N{NO-BREAK SPACE}"


def setup(app):
    """Add what follows to the page while Sphinx reads it: no file is written that could go stale."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(app, page: str, source: list[str]) -> None:
    if page == PAGE:
        source[0] += reference()


def reference() -> str:
    """All commands in Markdown, grouped by package.

    Returns
    -------
    One section a package and one subsection a command; its link target is its name: commands.md#student
    """
    return "".join(
        f"\n## Package {package}\n\n{_purpose(package)}\n"
        + "".join(_section(name, *row) for name, row in commands.items())
        for package, commands in COMMANDS.items()
    )


def _purpose(package: str) -> str:
    """The first sentence of the package's own docstring, which begins with its name and a colon."""
    sentence = inspect.getdoc(importlib.import_module(f"st3d.{package}")).split("\n\n")[0].partition(": ")[2]
    return sentence[0].upper() + sentence[1:]


def _section(command: str, module: str, line: str) -> str:
    """One command: its line, how it is called, a table of its flags, its errors, its source."""
    function = getattr(importlib.import_module(f"st3d.{module}"), command)
    arguments = command_line(command)[command].assemble_argument_collection(parse_docstring=True)
    flags = [each for each in arguments if each.show]
    text = docstring_parser.parse(inspect.getdoc(function), style=docstring_parser.DocstringStyle.NUMPYDOC)
    parts = [
        f"\n### {command}\n\n{line}",
        text.long_description,
        f"```sh\n{_usage(command, flags)}\n```",
        ":::{table}\n:class: flags\n\n| flag | value | meaning, unit |\n|---|---|---|\n"
        + "".join(map(_row, flags))
        + ":::",
        *(f"`{error.type_name}`: {_plain(error.description)}" for error in text.raises),
        f"Source: `st3d/{module.replace('.', '/')}.py`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(flag: Argument) -> str:
    """A flag's row."""
    meaning = flag.parameter.help or ""
    if not flag.required and flag.field_info.default not in (None, [], False):
        meaning += f" Default: {flag.field_info.default}."
    return f"| `{flag.name}` | {_kind(flag.hint)} | {_plain(meaning)} |\n"


def _usage(command: str, flags: list[Argument]) -> str:
    """The command line with every flag."""
    words = [_call(flag) for flag in flags]
    line = " ".join(word.replace(" ", UNBROKEN) for word in words)
    lines = textwrap.wrap(line, 84, break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join([f"st3d {command}", *lines]).replace(UNBROKEN, " ")


def _call(flag: Argument) -> str:
    """A flag as it stands on a command line."""
    value = "" if flag.name.isupper() or flag.hint is bool else f" {flag.name.lstrip('-').upper().replace('-', '_')}"
    several = " ..." if get_origin(flag.hint) is list else ""
    return f"{flag.name}{value}{several}" if flag.required else f"[{flag.name}{value}{several}]"


def _kind(hint) -> str:
    """What a flag's value may be."""
    inner = [each for each in get_args(hint) if each is not type(None)]
    if get_origin(hint) is Literal:
        return " ".join(f"`{choice}`" if choice else "or empty" for choice in inner)
    if get_origin(hint) is list:
        return f"{_kind(inner[0])}, one or several"
    if inner:
        return _kind(inner[0])
    return {"bool": "no value", "int": "integer", "float": "number", "str": "text", "Path": "path"}[hint.__name__]


def _plain(text: str) -> str:
    """A docstring's text within one cell of a Markdown table."""
    for character in "|*<>_":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
