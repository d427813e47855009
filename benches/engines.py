"""Where the marketplaces of scripts/bench are kept, and how they are served: each run writes into a copy."""
import contextlib
import shutil
import sqlite3
import uuid

from grow import KEPT, filled, grown, into_postgres, planned, run
from postgres import Cluster, free_port, in_database, sql
from server import Server
from used import cpu, cpu_of_children

#: Some listings out of the whole.
SOME = "select id, freelancer_id, category, title from services where listed order by random() limit 5000"


def spelled(id):
    return str(uuid.UUID(bytes=id))


class Sqlite:
    """A file in a data directory."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @contextlib.contextmanager
    def demo(self, scale, directory):
        """Serves `guildhall demo`; the server, and what tells the seconds of CPU that are used."""
        shutil.copytree(filled(scale), directory / "data")
        with self.served(directory) as served:
            yield served

    @contextlib.contextmanager
    def grown(self, size, directory, in_place):
        """Serves a marketplace of that size, itself or a copy; beside that some of its listings."""
        if in_place:
            (directory / "data").symlink_to(grown(*size))
        else:
            shutil.copytree(grown(*size), directory / "data")
        with contextlib.closing(sqlite3.connect(directory / "data/guildhall.db")) as file:
            some = [(spelled(id), spelled(freelancer), *words) for id, freelancer, *words in file.execute(SOME)]
        with self.served(directory) as served:
            yield *served, some

    @contextlib.contextmanager
    def served(self, directory):
        with Server(directory, embedded=True) as server:
            yield server, lambda: cpu(server.process.pid)


class Postgres:
    """Databases of a durable server of the benchmark's own, which is kept."""

    def __enter__(self):
        self.cluster = Cluster(KEPT / "postgres", durable=True, settings={"shared_buffers": "'512MB'", "max_wal_size": "'4GB'"})
        if not self.cluster.directory.exists():
            self.cluster.make()
        if self.cluster.running_port() is None:
            self.cluster.port = free_port()
            self.cluster.start()
        return self

    def __exit__(self, *_):
        self.cluster.stop("fast")

    @contextlib.contextmanager
    def demo(self, scale, directory):
        name = f"scale_{scale}"
        self.make(name, lambda url: self.moved(scale, directory, url))
        with self.served(self.copied(name), directory) as served:
            yield served

    @contextlib.contextmanager
    def grown(self, size, directory, in_place):
        name = "grown_" + "_".join(map(str, size))
        self.make(name, lambda url: into_postgres(*planned(*size), url))
        name = name if in_place else self.copied(name)
        some = [line.split("|", 3) for line in sql(in_database(self.cluster.url, name), SOME)]
        with self.served(name, directory) as served:
            yield *served, some

    def make(self, name, fill):
        """Fills a database unless it is there, and brings it to the schema of this program; its name shows only when it is whole."""
        url = self.cluster.url
        if name not in sql(url, "select datname from pg_database"):
            sql(url, "drop database if exists making with (force)")
            sql(url, "create database making")
            fill(in_database(url, "making"))
            sql(url, f"alter database making rename to {name}")
        run("migrate", "--database-url", in_database(url, name))

    def moved(self, scale, directory, url):
        """The rows of the other engine."""
        export = directory / "rows"
        run("export", "--data-dir", filled(scale), export)
        run("import", "--data-dir", directory, "--database-url", url, export)
        sql(url, "vacuum analyze")

    def copied(self, name):
        url = self.cluster.url
        sql(url, f"drop database if exists {name}_scratch with (force)")
        sql(url, f"create database {name}_scratch template {name} strategy file_copy")
        return f"{name}_scratch"

    @contextlib.contextmanager
    def served(self, name, directory):
        keeper = int((self.cluster.directory / "postmaster.pid").read_text().splitlines()[0])
        try:
            with Server(directory, database_url=in_database(self.cluster.url, name)) as server:
                yield server, lambda: cpu(server.process.pid) + cpu_of_children(keeper)
        finally:
            if name.endswith("_scratch"):
                sql(self.cluster.url, f"drop database {name} with (force)")
