"""Make `import open3d` work without a system-wide libusb-1.0: Open3D's library also looks in its own folder."""

import importlib.util
import subprocess
import sys
from pathlib import Path

IMPORT = [sys.executable, "-c", "import open3d"]


def main() -> int:
    if subprocess.run(IMPORT, capture_output=True).returncode == 0:
        return 0
    libraries = {name: importlib.util.find_spec(name) for name in ("open3d", "libusb_package")}
    if all(spec is not None and spec.origin for spec in libraries.values()):
        open3d, libusb = (Path(spec.origin).parent for spec in libraries.values())
        link = open3d / "libusb-1.0.so.0"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..", libusb.name, "libusb-1.0.so"))
    done = subprocess.run(IMPORT, capture_output=True, text=True)
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no message"])[-1]
        sys.stderr.write(
            f"set-up: Open3D cannot be imported ({why}); install libusb-1.0 (apt-get install libusb-1.0-0)\n"
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
