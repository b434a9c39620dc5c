"""`python -m st3d`."""

import sys

from st3d.workflow.command_line import main

sys.exit(main())
