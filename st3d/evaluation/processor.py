"""The name of this machine's processor."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's model.

    Returns
    -------
    Such as "AMD EPYC 7B13"; the architecture where the system does not say more
    """
    if Path("/proc/cpuinfo").exists():
        with Path("/proc/cpuinfo").open() as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
