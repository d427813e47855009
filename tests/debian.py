"""Programs of Debian that tests put in front of Guildhall, installed when they are missing and root may."""
import contextlib
import os
import pathlib
import shutil
import subprocess

from postgres import Missing


def program(name, package):
    """The path of a program."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"there is no {name} here, and only root on Debian can install one: apt-get install {package}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", package]
    with nothing_started():
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = shutil.which(name, path=path)
    if not found:
        raise Missing(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}")
    return found


@contextlib.contextmanager
def nothing_started():
    """Packages start their services otherwise."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
