"""The command `st3d`, also `python -m st3d`."""

import sys

from st3d.workflow.server import forward


def main() -> int:
    """Run the command line, in the workflow's server where there is one.

    Returns
    -------
    The exit code
    """
    code = forward(sys.argv[1:])
    if code is None:
        from st3d.workflow import command_line

        code = command_line.main()
    return code


if __name__ == "__main__":
    sys.exit(main())
