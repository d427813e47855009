"""PostgreSQL clusters of the tests' own, each in a directory and on a port to itself: found or installed, made, started,
broken, removed. Never a cluster that somebody else made."""
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
import uuid

OLDEST = 15
OWNER = "guildhall"
#: The server that the tests are to use; each makes databases of its own there.
SERVER_URL = "GUILDHALL_TEST_DATABASE_URL"

# Tests start often and never need their data after a power cut.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
SETTINGS = {"listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''", "max_connections": "300", "log_line_prefix": "'%m %a '"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Missing(Exception):
    """There is no PostgreSQL, and why none could be installed."""


def find():
    """The programs' directory of the newest PostgreSQL that is new enough, or None."""
    on_path = shutil.which("initdb")
    directories = list(pathlib.Path("/usr/lib/postgresql").glob("*/bin")) + ([pathlib.Path(on_path).resolve().parent] if on_path else [])
    found = {version(directory): directory for directory in directories if (directory / "initdb").exists()}
    newest = max(found, default=0)
    return found[newest] if newest >= OLDEST else None


def version(directory):
    said = subprocess.run([directory / "initdb", "--version"], capture_output=True, text=True).stdout
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else 0


def require():
    """The programs' directory, after an installation from Debian if there is none yet and this is root."""
    return find() or install()


def install():
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"there is no PostgreSQL {OLDEST} or newer here, and only root on Debian can install one: apt-get install postgresql")
    # The package starts a cluster of its own otherwise, on the port where people expect theirs.
    settings = pathlib.Path("/etc/postgresql-common/createcluster.conf")
    settings.parent.mkdir(parents=True, exist_ok=True)
    if not settings.exists():
        settings.write_text("create_main_cluster = false\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Missing(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}")
    directory = find()
    if directory is None:
        raise Missing(f"Debian's PostgreSQL is older than {OLDEST}")
    return directory


def unprivileged():
    """How a server is run: it refuses root, so root runs it as somebody else."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def make_directory(path):
    """One that the server may write."""
    path.mkdir(parents=True, mode=0o700)
    if "user" in unprivileged():
        os.chown(path, unprivileged()["user"], unprivileged()["group"])


class Cluster:
    """A server in `directory`, its write-ahead log elsewhere if asked. A durable one keeps its promises when it is killed;
    the others are fast."""

    def __init__(self, directory, durable=False, log_directory=None, settings=None):
        self.programs = require()
        self.log_directory = log_directory
        self.directory = pathlib.Path(directory).resolve()
        self.settings = SETTINGS | ({} if durable else FAST) | (settings or {})
        self.port = self.running_port()

    def make(self):
        """An empty one, in place of what is left of an earlier one."""
        self.remove()
        log = []
        if self.log_directory:
            make_directory(self.log_directory)
            log = ["--waldir", str(self.log_directory)]
        make_directory(self.directory)
        # A linguistic collation, as in most people's databases: nothing may rely on the order of bytes.
        self.run("initdb", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", *log)
        with open(self.directory / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self.settings.items())
        self.port = free_port()
        return self

    def follow(self, primary):
        """A standby of `primary`, in place of what is left of an earlier one."""
        self.remove()
        make_directory(self.directory)
        self.run("pg_basebackup", "-d", primary.url, "-X", "stream", "-R", "--checkpoint=fast", "--no-sync")
        self.port = self.port or free_port()
        return self

    def start(self):
        self.run("pg_ctl", "start", "-w", "-s", "-t", "60", "-l", str(self.directory / "server.log"), "-o", f"-p {self.port}")
        return self

    def stop(self, mode="immediate"):
        """`immediate` is a crash."""
        if self.running_port():
            self.run("pg_ctl", "stop", "-w", "-s", "-t", "60", "-m", mode)

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def running_port(self):
        """The port of the server that runs in the directory, or None."""
        status = [self.programs / "pg_ctl", "status", "-D", self.directory]
        if subprocess.run(status, capture_output=True, cwd="/", **unprivileged()).returncode != 0:
            return None
        _, directory, _, port, *_ = (self.directory / "postmaster.pid").read_text().splitlines()
        # A directory that was copied names the server of the original.
        return int(port) if pathlib.Path(directory) == self.directory else None

    def run(self, program, *arguments):
        command = [self.programs / program, "-D", self.directory, *arguments]
        # A file rather than a pipe, which the server would hold open for as long as it runs.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **unprivileged())
            output.seek(0)
            if done.returncode != 0:
                raise SystemExit(f"{program}: {output.read().decode(errors='replace')}{self.log()}")

    def log(self):
        file = self.directory / "server.log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    @property
    def url(self):
        return f"postgres://{OWNER}@127.0.0.1:{self.port}/postgres"


def sql(url, statement):
    """Runs one statement and returns its rows as lines."""
    command = [require() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"psql {statement}: {done.stderr}")
    return done.stdout.splitlines()


def in_database(url, name):
    """The URL of another database of the same server."""
    return urllib.parse.urlsplit(url)._replace(path=f"/{name}").geturl()


@contextlib.contextmanager
def database(url):
    """The URL of an empty database on the server of `url`, which goes with the block."""
    name = f"guildhall_{uuid.uuid4().hex}"
    sql(url, f"create database {name}")
    try:
        yield in_database(url, name)
    finally:
        sql(url, f"drop database {name} with (force)")


@contextlib.contextmanager
def empty_database(directory):
    """The URL of an empty database, on a server of its own below `directory` unless one is named."""
    server = os.environ.get(SERVER_URL)
    if server:
        with database(server) as url:
            yield url
        return
    # Its server runs as somebody else.
    os.chmod(directory, 0o711)
    cluster = Cluster(pathlib.Path(directory) / "postgres").make().start()
    try:
        with database(cluster.url) as url:
            yield url
    finally:
        cluster.stop()
