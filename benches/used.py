"""What processes use, as Linux tells it."""
import contextlib
import os
import pathlib
import re

TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """The fields of /proc/PID/stat from the third on."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def cpu(pid):
    """Seconds of CPU that the process has used."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_children(pid):
    """Seconds of CPU that the process and its children have used, those that ended included."""
    fields = stat(pid)
    used = sum(map(int, fields[11:15])) / TICKS
    for other in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if stat(other.name)[1] == str(pid):
                used += cpu(other.name)
    return used


def resident(pid):
    """MiB of memory that the process holds."""
    return status(pid, "VmRSS")


def own(pid):
    """MiB of those that only the process can see: no pages of files."""
    return status(pid, "RssAnon")


def status(pid, name):
    return int(re.search(rf"{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024
