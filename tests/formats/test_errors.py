import logging
import subprocess
import sys

import pytest

from st3d.formats.errors import error_text, one_line, sides_text, silenced
from st3d.formats.meshes import read_mesh
from st3d.formats.scans import read_scan

LEVELS = """
import logging, pkgutil
import st3d.formats
for module in pkgutil.iter_modules(st3d.formats.__path__, "st3d.formats."):
    __import__(module.name)
print([(logging.getLogger(name).level, logging.getLogger(name).filters) for name in ("tifffile", "trimesh", "PIL")])
"""


def test_importing_the_formats_leaves_other_libraries_loggers_as_they_are():
    done = subprocess.run([sys.executable, "-c", LEVELS], capture_output=True, text=True, check=True)
    assert done.stdout == "[(0, []), (0, []), (0, [])]\n"


@pytest.mark.parametrize("library, read, name", [("tifffile", read_scan, "a.tiff"), ("trimesh", read_mesh, "a.stl")])
def test_a_library_is_quiet_while_it_reads_for_us_and_speaks_again_afterwards(tmp_path, caplog, library, read, name):
    (tmp_path / name).write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(ValueError, match=f"{name}: expected "):
        read(tmp_path / name)
    assert caplog.messages == []
    logging.getLogger(library).error("of the user's own")
    assert caplog.messages == ["of the user's own"]


def test_nested_silence_ends_with_the_outer_one(caplog):
    with silenced("tifffile"):
        with silenced("tifffile"):
            pass
        logging.getLogger("tifffile").error("in between")
    assert caplog.messages == []


def test_an_error_is_one_line_of_limited_length():
    assert error_text(ValueError("a\n b")) == "a b" and error_text(KeyError()) == "KeyError"
    assert len(error_text(ValueError("x" * 1000))) == 120
    with (
        pytest.raises(ValueError, match="^a.png: expected an image, found bad bytes$"),
        one_line("a.png: expected an image"),
    ):
        raise SyntaxError("bad\nbytes")
    with pytest.raises(ValueError, match="^a.png: expected an image, found no such file$"):  # noqa: SIM117
        with one_line("a.png: expected an image"):
            raise FileNotFoundError("a.png")
    assert sides_text((400, 300, 3)) == "400 x 300 x 3"
