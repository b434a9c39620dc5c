"""Fills the page `commands` with every command's flags, from the signatures and docstrings that `--help` shows too."""

import importlib
import inspect
from typing import Literal, get_args, get_origin

import docstring_parser
from cyclopts.argument import Argument

from st3d.workflow.command_line import command_line
from st3d.workflow.stages import COMMANDS

PAGE = "commands"


def setup(app):
    """Add what follows to the page while Sphinx reads it: no file is written that could go stale."""
    app.connect("source-read", _fill)
    app.connect("env-before-read-docs", lambda app, environment, pages: pages.append(PAGE) if pages else None)
    return {"parallel_read_safe": True}


def _fill(app, page: str, source: list[str]) -> None:
    if page == PAGE:
        source[0] += reference()


def reference() -> str:
    """All commands in Markdown, grouped by package.

    Returns
    -------
    One section a package and one subsection a command, whose link target is the command's name
    """
    return "".join(
        f"\n## {package}\n\n{_purpose(package)}\n" + "".join(_section(name, *row) for name, row in commands.items())
        for package, commands in COMMANDS.items()
    )


def _purpose(package: str) -> str:
    """The first sentence of the package's own docstring."""
    return inspect.getdoc(importlib.import_module(f"st3d.{package}")).split("\n\n")[0]


def _section(command: str, module: str, line: str) -> str:
    """One command: its line, what it does, a table of its flags, its errors, its source."""
    function = getattr(importlib.import_module(f"st3d.{module}"), command)
    flags = command_line(command)[command].assemble_argument_collection(parse_docstring=True)
    text = docstring_parser.parse(inspect.getdoc(function), style=docstring_parser.DocstringStyle.NUMPYDOC)
    rows = [_row(flag) for flag in flags if flag.show]
    path = "st3d/" + module.replace(".", "/") + ".py"
    return "\n".join(
        [
            f"\n({command})=\n### {command}\n\n{line}\n",
            f"```console\n$ python -m st3d {command} {' '.join(_usage(flag) for flag in flags if flag.show)}\n```\n",
            *([f"{text.short_description}\n"] if text.short_description.rstrip(".") != line.rstrip(".") else []),
            *([f"{text.long_description}\n"] if text.long_description else []),
            ":::{table}\n:class: flags\n\n| flag | value | meaning, unit |\n|---|---|---|",
            *rows,
            ":::\n",
            *(f"{error.type_name}: {_plain(error.description)}\n" for error in text.raises),
            f"Source: `{path}`\n",
        ]
    )


def _row(flag: Argument) -> str:
    """A flag's row."""
    default = "" if flag.required else _plain(f" Default: {flag.field_info.default}.")
    return f"| `{flag.name}` | {_kind(flag.hint)} | {_plain(flag.parameter.help or '')}{default} |"


def _usage(flag: Argument) -> str:
    """A flag as it stands on a command line."""
    value = "" if flag.name.isupper() else f" {flag.name.lstrip('-').upper().replace('-', '_')}"
    several = " ..." if get_origin(flag.hint) is list else ""
    usage = f"{flag.name}{value}{several}"
    return usage if flag.required else f"[{usage}]"


def _kind(hint) -> str:
    """What a flag's value may be."""
    inner = [each for each in get_args(hint) if each is not type(None)]
    if get_origin(hint) is Literal:
        return " ".join(f"`{choice}`" if choice else "or empty" for choice in inner)
    if get_origin(hint) is list:
        return f"{_kind(inner[0])}, one or several"
    if inner:
        return _kind(inner[0])
    return {"int": "integer", "float": "number", "str": "text", "Path": "path"}[hint.__name__]


def _plain(text: str) -> str:
    """A docstring's text within one cell of a Markdown table."""
    for character in "|*<>_":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
