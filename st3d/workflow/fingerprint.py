"""A hash of the source that a stage depends on: changed code reruns what depends on it, a comment reruns nothing.

Snakemake sees files and params, not Python: each rule carries its stage's fingerprint in its params.
"""

import ast
import functools
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Modules that change no result: the workflow itself, display and calls; a new version reruns nothing.
NO_RESULT = ("workflow", "training.progress_bar", "__main__", "detector")


@functools.cache
def fingerprint(*names: str, package: Path = PACKAGE) -> str:
    """A hash over modules, all of st3d that these import, and the C kernels they call.

    Comments, docstrings and layout do not count.

    Parameters
    ----------
    names
        Modules below st3d: `evaluation.maps`.
    package
        The folder st3d/.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    modules: set[str] = set()
    todo = list(names)
    while todo:
        module = todo.pop()
        if module not in modules:
            modules.add(module)
            todo += imports(module, package)
    digest = hashlib.sha256()
    for module in sorted(modules):
        digest.update(f"{module} {_dump(module, package)}\n".encode())
    for source in sorted(_kernels(frozenset(modules), package)):
        digest.update(f"{source.name} {_tokens(source)}\n".encode())
    return digest.hexdigest()[:16]


@functools.cache
def imports(module: str, package: Path = PACKAGE) -> tuple[str, ...]:
    """The modules of st3d that a module imports, wherever in it.

    Parameters
    ----------
    module
        Its name below st3d: `kernels.points`.
    package
        The folder st3d/.

    Returns
    -------
    Names below st3d, sorted, without those of `NO_RESULT`
    """
    names: set[str] = set()
    for node in ast.walk(_syntax(module, package)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    inside = {name.removeprefix("st3d.") for name in names if name.startswith("st3d.")}
    inside = {name for name in inside if not any(name == each or name.startswith(f"{each}.") for each in NO_RESULT)}
    return tuple(sorted(name for name in inside if _path(name, package).exists()))


def c_tokens(source: str) -> str:
    """A C source without its comments and with single spaces.

    Parameters
    ----------
    source
        The text of a C file.

    Returns
    -------
    str, equal for sources that differ only in comments and layout
    """
    quoted = r'"(?:\\.|[^"\\\n])*"'
    bare = re.sub(rf"({quoted})|/\*.*?\*/|//[^\n]*", lambda match: match[1] or " ", source, flags=re.DOTALL)
    return " ".join(bare.split())


def _path(module: str, package: Path) -> Path:
    path = package.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _syntax(module: str, package: Path) -> ast.Module:
    tree = ast.parse(_path(module, package).read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


@functools.cache
def _dump(module: str, package: Path) -> str:
    return ast.dump(_syntax(module, package))


@functools.cache
def _attributes(module: str, package: Path) -> frozenset[str]:
    """All names after a dot."""
    return frozenset(node.attr for node in ast.walk(_syntax(module, package)) if isinstance(node, ast.Attribute))


@functools.cache
def _tokens(source: Path) -> str:
    return c_tokens(source.read_text())


@functools.cache
def _exported(source: Path) -> tuple[frozenset[str], frozenset[Path]]:
    """The names in a C file that could be exported functions, and the headers of ours that it includes."""
    headers = (source.parent / header for header in re.findall(r'#include "([^"]+)"', source.read_text()))
    return frozenset(re.findall(r"\bst3d_\w+", _tokens(source))), frozenset(each for each in headers if each.exists())


def _kernels(modules: frozenset[str], package: Path) -> set[Path]:
    """The C files that hold an exported function which one of `modules` names, and the headers that these include."""
    named = frozenset().union(*(_attributes(module, package) for module in modules))
    found = set()
    for source in (package / "kernels" / "src").glob("*.c"):
        exported, headers = _exported(source)
        if named & exported:
            found |= {source, *headers}
    return found
