"""Sphinx: the documentation's site. `make docs` builds it into site/; every warning is an error."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # command_reference.py beside this; st3d

project = "st3d"
author = "The st3d developers"
html_title = "st3d"

extensions = ["myst_parser", "sphinx_copybutton", "command_reference"]
exclude_patterns: list[str] = []
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # [text](page.md#heading) as on GitHub
copybutton_prompt_text = "$ "
highlight_language = "text"  # of blocks that name none

html_theme = "furo"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
