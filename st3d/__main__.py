"""`python -m st3d`."""

import sys

from st3d.workflow.server import forward

code = forward(sys.argv[1:])
if code is None:
    from st3d.workflow.command_line import main

    code = main()
sys.exit(code)
