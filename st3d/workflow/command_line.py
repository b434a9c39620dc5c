"""The command line: `st3d COMMAND --flag value ...`; a function's signature and docstring are flags and help."""

import dataclasses
import importlib
import inspect
import logging
import os
import resource
import select
import sys
import threading
import time
import traceback

import cyclopts

from st3d.formats.errors import Faults
from st3d.workflow.stages import COMMANDS, MODULE


def command_line(stage: str) -> cyclopts.App:
    """The commands; only `stage`'s module is imported, the others are known by name."""
    app = cyclopts.App(
        name="st3d",  # however it was started
        help="3D-ST: anomaly detection in 3D point clouds. Each command is a stage of the workflow; see README.md.",
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
    )
    app["--help"].group = app["--version"].group = cyclopts.Group("options", sort_key=len(COMMANDS))
    for number, (package, commands) in enumerate(COMMANDS.items()):
        group = cyclopts.Group(package, sort_key=number)
        for name, (module, line) in commands.items():
            if name == stage:
                function = getattr(importlib.import_module(f"st3d.{module}"), name)
                for parameter in inspect.signature(function).parameters.values():
                    if dataclasses.is_dataclass(parameter.annotation):  # a group of settings: its fields are the flags
                        cyclopts.Parameter(name="*")(parameter.annotation)
                app.command(function, name=name, group=group)
            else:
                app.command(f"st3d.{module}:{name}", name=name, help=line, group=group)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code: what it returns, or 0. A fault in what the user gave: a line, and 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    set_environment()
    started = time.monotonic()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _end_with(os.environ.get("ST3D_PARENT"))
    stage = arguments[0] if arguments and arguments[0] in MODULE else ""
    try:
        if arguments and not stage and not arguments[0].startswith("-"):
            raise ValueError(f"{arguments[0]}: no such stage; these are: {', '.join(MODULE)}")
        code = command_line(stage)(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except ModuleNotFoundError as error:
        if (error.name or "st3d").partition(".")[0] == "st3d":
            raise
        sys.stderr.write(f"st3d {stage}: expected the package {error.name}, found none; pip install 'st3d[workflow]'\n")
        return 1
    except Exception as error:
        # torch's OutOfMemoryError goes by its name: most commands import no torch
        expected = isinstance(error, ValueError | OSError | MemoryError | cyclopts.CycloptsError)
        if not expected and type(error).__name__ != "OutOfMemoryError":
            raise
        if os.environ.get("ST3D_TRACEBACK"):
            traceback.print_exc()
        for line in error.lines if isinstance(error, Faults) else [str(error)]:
            message = " ".join(line.split()) or type(error).__name__
            sys.stderr.write(f"{f'st3d {stage}'.strip()}: {message}\n")
        return 1
    if stage:
        used = resource.getrusage(resource.RUSAGE_SELF)
        peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kB elsewhere
        seconds, of_cpu = time.monotonic() - started, used.ru_utime + used.ru_stime
        logging.getLogger("st3d").info("finished: %.1f s, %.1f s of CPU, %.0f MB", seconds, of_cpu, peak)
    return code if isinstance(code, int) else 0


def set_environment() -> None:
    """What libraries read once, when they are loaded; what the user has set is kept.

    OpenMP's threads sleep while they wait. By default they spin at each barrier for up to 300,000 iterations; beside
    another process they then occupy the cores that the awaited threads need. HDF5 locks no file: ours are written whole
    or not at all, and where the file system has no locks it would call each of them damaged.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")


def _end_with(parent: str | None) -> None:
    """End this process soon after `parent`'s end: a job must not outlive a killed workflow and write later.

    The parent is the workflow, not the shell in between, so the kernel's signal at a parent's death does not serve.
    """

    def wait(pid: int) -> None:
        try:
            select.select([os.pidfd_open(pid)], [], [])  # Linux; no later process of the same number is mistaken for it
        except ProcessLookupError:
            pass
        except (AttributeError, OSError):
            while _alive(pid):
                time.sleep(0.5)
        os._exit(1)

    if parent:
        threading.Thread(target=wait, args=(int(parent),), daemon=True).start()


def _alive(pid: int) -> bool:
    """Whether a process of that number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
