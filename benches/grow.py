#!/usr/bin/env python3
"""Makes a large marketplace out of a small one, in minutes: `guildhall demo` once, and every row of it many times over.

Usage: benches/grow.py LISTINGS [--orders N] [--full N] [--database-url URL]

Makes a data directory below target/bench, or fills an empty database on a server, with about LISTINGS listings and N orders
(as many as listings unless told). --full of them (all unless told) have everything that belongs to an order; the others were
cancelled unpaid and need a tenth of the room. Prints where the data are; makes no directory twice.

What is made is true, and `guildhall verify` says so. There are copies of the shelf (people, pages, listings) and copies of
the orders, each on some shelf; what orders add up to is multiplied by how many copies of them hang there. An id keeps its
time and gets the number of the copy for its last three bytes, wherever it stands, in texts too; a name gets it at its end.
Rows go in by the order of their keys, as they would have with time, and the indexes are built afterwards.
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("GUILDHALL_BINARY", str(ROOT / "target/release/guildhall"))
from arguments import at_least  # noqa: E402
from postgres import require, sql  # noqa: E402
from server import BINARY  # noqa: E402

KEPT = ROOT / "target/bench"
#: Of the marketplace that is copied: 2,000 listings and 5,000 orders.
SCALE = 10
#: Where the last three bytes of an id go: the number of a copy of the shelf, or of the orders.
SHELF, ORDERS = "\x01s", "\x01o"
ID = re.compile(r"([0-9a-f]{8}-?[0-9a-f]{4}-?7[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{6})[0-9a-f]{6}")
#: Unique and without an id in it; where the number goes.
NAMES = {"username": "$", "username_folded": "$", "email": "(?=@)", "email_folded": "(?=@)"}
#: What orders add up to.
SUMS = {
    "services.rating_sum", "services.rating_count", "rating_tallies.count", "freelancer_stats.rating_sum",
    "freelancer_stats.rating_count", "freelancer_stats.completed_orders",
}
#: What there is only with orders, and stays the same with more of them.
AVERAGES = {"services.rating_centi"}
#: Nothing falls due while the data are kept: it would run beside the load.
LATER_US = 365 * 86_400 * 1_000_000
CACHE_KIB = 512 * 1024


def filled(scale):
    """A data directory with the marketplace of `guildhall demo`, made once."""
    kept = KEPT / f"scale-{scale}"
    if not kept.exists():
        print(f"filling a database: guildhall demo --scale {scale}", file=sys.stderr)
        making = emptied(KEPT / "making")
        run("demo", "--data-dir", making, "--scale", str(scale))
        making.rename(kept)
    return present(kept)


def present(kept):
    """What was kept, in the schema of this program."""
    run("migrate", "--data-dir", kept)
    return kept


def run(*arguments):
    """A command of the program."""
    environment = os.environ | {"GUILDHALL_ALLOW_UNSAFE_DATABASE": "true"}
    subprocess.run([BINARY, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)


def emptied(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def names_of(row):
    """The ids that a row names, without their last three bytes."""
    for value in row:
        if is_id(value):
            yield value.hex()[:26]
        elif isinstance(value, str):
            yield from (found.replace("-", "") for found in ID.findall(value))


def is_id(value):
    return isinstance(value, bytes) and len(value) == 16


TABLES = """
    select name from sqlite_schema where type = 'table' and name not like 'sqlite%' and name not like 'service_search%'
        and name not in ('schema_migrations', 'settings')
"""
WORDS = """
    select s.search_key, s.id, f.title, f.others from service_search f join services s on s.search_key = f.rowid
    order by s.search_key
"""


class Small:
    """The marketplace that is copied: its rows by table, each with the part that it is copied with. `shelf` and `orders`
    are all of it; `unpaid` are those orders that can also be copied alone."""

    def __init__(self, data):
        self.given = sqlite3.connect(":memory:", isolation_level=None)
        with sqlite3.connect(f"file:{data}/guildhall.db?mode=ro", uri=True) as file:
            file.backup(self.given)
        file.close()
        self.prepare()
        self.columns, self.rows = {}, {}
        # All but what migrations fill and the index of words makes.
        for (table,) in self.given.execute(TABLES).fetchall():
            self.read(table)
        self.words = self.given.execute(WORDS).fetchall()
        self.find_parts()

    def prepare(self):
        """Every third listing in one category, so that its list has a thousand pages; deadlines in a year."""
        self.given.executescript(f"""
            update services set (category, category_folded) =
                (select category, category_folded from services group by category_folded order by count(*) desc limit 1)
            where search_key % 3 = 0;
            update disputes set decide_by = decide_by + {LATER_US} where status = 'open';
            update timers set due_at = due_at + {LATER_US};
        """)

    def read(self, table):
        about = self.given.execute(f"select name, pk from pragma_table_info('{table}')").fetchall()
        key = ", ".join(name for place, name in sorted((place, name) for name, place in about if place))
        columns = [name for name, _ in about]
        rows = self.given.execute(f"select {', '.join(columns)} from {table} order by {key}").fetchall()
        if rows:
            self.columns[table], self.rows[table] = columns, rows

    def find_parts(self):
        paid = {row[self.columns["payments"].index("order_id")] for row in self.rows["payments"]}
        status = self.columns["orders"].index("status")
        alone = [row[0] for row in self.rows["orders"] if row[status] == "cancelled" and row[0] not in paid]
        self.unpaid = len(alone)
        self.named = {table: [list(names_of(row)) for row in rows] for table, rows in self.rows.items()}
        self.of_unpaid = self.belonging(alone)
        self.of_orders = self.belonging(row[0] for table in ("orders", "payouts") for row in self.rows[table])

    def belonging(self, roots):
        """The things of the roots: those that name one of them, or one of these."""
        things, before = set(names_of(roots)), 0
        while len(things) > before:
            before = len(things)
            for rows in self.named.values():
                things.update(named[0] for named in rows if not things.isdisjoint(named))
        return things

    def part(self, named):
        if not self.of_unpaid.isdisjoint(named):
            return "unpaid"
        return "shelf" if self.of_orders.isdisjoint(named) else "orders"

    def staged(self, table):
        """Its rows with marks where the numbers go, and their parts."""
        of_names = [NAMES.get(column) for column in self.columns[table]]
        for row, named in zip(self.rows[table], self.named[table]):
            yield [self.marked(value, name) for value, name in zip(row, of_names)] + [self.part(named)]

    def marked(self, value, name=None):
        if is_id(value):
            return value[:13] + self.mark(value.hex()[:26]).encode()
        if isinstance(value, str):
            value = re.sub(name, SHELF, value) if name else value
            return ID.sub(lambda found: found[1] + self.mark(found[1].replace("-", "")), value)
        return value

    def holds(self, table, column):
        """Whether it holds ids, or texts that get marks."""
        place = self.columns[table].index(column)
        values = [row[place] for row in self.rows[table]]
        if any(map(is_id, values)):
            return "id"
        has_mark = column in NAMES or any(isinstance(value, str) and ID.search(value) for value in values)
        return "marks" if has_mark else None

    def mark(self, thing):
        return ORDERS if thing in self.of_orders else SHELF


#: Part, number of the shelf, its three bytes, those of the number of the orders, and how many copies of them it has.
COPIES = ["part", "shelf", "shelf_id", "orders_id", "hanging"]


class Copies:
    """How often what is copied."""

    def __init__(self, small, listings, orders, full):
        self.shelves = max(1, round(listings / len(small.rows["services"])))
        self.whole = round(full / len(small.rows["orders"]))
        self.unpaid = round(max(0, orders - full) / small.unpaid)

    def rows(self):
        hanging = collections.Counter(number % self.shelves for number in range(self.whole))
        for shelf in range(self.shelves):
            yield "shelf", shelf, shelf.to_bytes(3), b"", hanging[shelf]
        for number in range(self.whole + self.unpaid):
            shelf = number % self.shelves
            for part in ("orders", "unpaid") if number < self.whole else ("unpaid",):
                yield part, shelf, shelf.to_bytes(3), number.to_bytes(3), 0


#: Each row so often as there are copies of its part, in the order of the ids that come of it.
EACH_COPY = "from small.staged t cross join small.copies c where c.part = t.part"


def into_sqlite(small, copies, data):
    """Fills a new data directory."""
    run("migrate", "--data-dir", emptied(data))
    file = str(data / "guildhall.db")
    indexes = without_indexes(file)
    grown = opened(file)
    grown.execute("attach ':memory:' as small")

    def stage(table, columns, rows):
        grown.execute(f"drop table if exists small.{table}")
        grown.execute(f"create table small.{table} ({', '.join(columns)})")
        grown.executemany(f"insert into small.{table} values ({', '.join('?' * len(columns))})", rows)

    stage("copies", COPIES, copies.rows())
    grown.execute("create index small.copies_by_part on copies (part, orders_id, shelf)")
    for table, columns in small.columns.items():
        stage("staged", [*columns, "part"], small.staged(table))
        values = ", ".join(on_sqlite(small, copies, table, column) for column in columns)
        fill = f"insert into {table} ({', '.join(columns)}) select {values} {EACH_COPY}"
        told(table, lambda: grown.execute(fill).rowcount)
    stage("staged", ["search_key", "title", "others", "part"], ((key, *words, "shelf") for key, _, *words in small.words))
    fill = f"insert into service_search (rowid, title, others) select {search_key(copies)}, t.title, t.others {EACH_COPY}"
    told("service_search", lambda: grown.execute(fill).rowcount)
    grown.close()
    with_indexes(file, indexes)


def opened(file):
    grown = sqlite3.connect(file, isolation_level=None)
    grown.executescript(f"pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -{CACHE_KIB}")
    return grown


def without_indexes(file):
    """Drops what can be built afterwards; the statements that do so."""
    grown = sqlite3.connect(file, isolation_level=None)
    grown.execute("pragma journal_mode = delete")
    indexes = grown.execute("select name, sql from sqlite_schema where type = 'index' and sql is not null").fetchall()
    for name, _ in indexes:
        grown.execute(f"drop index {name}")
    grown.close()
    return indexes


def with_indexes(file, indexes):
    """On a connection of its own, whose memory is free again."""
    grown = opened(file)
    told(f"{len(indexes)} indexes", lambda: [grown.execute(statement) for _, statement in indexes])
    grown.close()


def on_sqlite(small, copies, table, column):
    """What a column of a copy holds."""
    if column == "search_key":
        return search_key(copies)
    value = f"t.{column}"
    match small.holds(table, column):
        case "id":
            mark = f"case substr({value}, 14) when x'{ORDERS.encode().hex()}' then c.orders_id else c.shelf_id end"
            return f"cast(substr({value}, 1, 13) || {mark} as blob)"
        case "marks":
            return f"replace(replace({value}, '{SHELF}', lower(hex(c.shelf_id))), '{ORDERS}', lower(hex(c.orders_id)))"
    return summed(table, column, value)


def search_key(copies):
    return f"(t.search_key - 1) * {copies.shelves} + c.shelf + 1"


def summed(table, column, value):
    if f"{table}.{column}" in SUMS:
        return f"{value} * c.hanging"
    if f"{table}.{column}" in AVERAGES:
        return f"case when c.hanging > 0 then {value} else 0 end"
    return value


#: All constraints of this program's tables, those that others rest on last, and the indexes that are none.
WITHOUT_INDEXES = """
    do $$ declare statement text; begin
        for statement in
            select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
            where connamespace = current_schema()::regnamespace and contype in ('f', 'p', 'u') order by contype
        loop execute statement; end loop;
        for statement in select format('drop index %I', indexname) from pg_indexes where schemaname = current_schema()
        loop execute statement; end loop;
    end $$
"""


def into_postgres(small, copies, url):
    """Fills an empty database."""
    run("migrate", "--database-url", url)
    dump = [require() / "pg_dump", "--section=post-data", "-d", url]
    indexes = subprocess.run(dump, check=True, stdout=subprocess.PIPE, text=True).stdout
    psql(url, WITHOUT_INDEXES, "create schema small")
    stage(url, "copies", COPIES, copies.rows())
    psql(url, COPIES_ON_POSTGRES)
    types = dict(line.split("|") for line in sql(url, TYPES))
    for table, columns in small.columns.items():
        stage(url, "staged", [*columns, "part"], small.staged(table))
        columns = [column for column in columns if column != "search_key"]
        values = ", ".join(on_postgres(types, table, column) for column in columns)
        fill = f"insert into {table} ({', '.join(columns)}) select {values} {EACH_COPY}"
        told(table, lambda: psql(url, fill))
    words = ((small.marked(id), vector(title, others), "shelf") for _, id, title, others in small.words)
    stage(url, "staged", ["service_id", "words", "part"], words)
    values = ", ".join(on_postgres(types, "service_search", column) for column in ("service_id", "words"))
    told("service_search", lambda: psql(url, f"insert into service_search (service_id, words) select {values} {EACH_COPY}"))
    psql(url, "drop table small.staged, small.copies", "drop schema small")
    told("indexes", lambda: psql(url, "set maintenance_work_mem = '512MB'", indexes))
    told("vacuum analyze", lambda: psql(url, "vacuum analyze"))


#: The three bytes of a number as digits.
COPIES_ON_POSTGRES = """
    alter table small.copies alter hanging type bigint using cast(hanging as bigint);
    update small.copies set shelf_id = substr(shelf_id, 3), orders_id = substr(orders_id, 3)
"""
TYPES = "select table_name || '.' || column_name, udt_name from information_schema.columns where table_schema = current_schema()"
ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def on_postgres(types, table, column):
    """What a column of a copy holds, out of the text that was staged."""
    value = f"replace(replace(t.{column}, '{SHELF}', c.shelf_id), '{ORDERS}', c.orders_id)"
    if types[f"{table}.{column}"] == "timestamptz":
        return f"timestamptz 'epoch' + cast(t.{column} as bigint) * interval '1 microsecond'"
    return summed(table, column, f"cast({value} as {types[f'{table}.{column}']})")


def stage(url, table, columns, rows):
    """A table of texts in place of the one before."""
    texts = ", ".join(f"{column} text" for column in columns)
    lines = "".join("\t".join(map(spelled, row)) + "\n" for row in rows)
    psql(url, f"drop table if exists small.{table}", f"create unlogged table small.{table} ({texts})",
         f"copy small.{table} from stdin;\n{lines}\\.\n", f"analyze small.{table}")


def spelled(value):
    """A field of COPY: ids and other bytes in hex, marks as they are."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        id, mark = value[:13], value[13:].decode(errors="replace")
        return id.hex() + mark if mark in (SHELF, ORDERS) else "\\\\x" + value.hex()
    return str(value).translate(ESCAPED)


def vector(title, others):
    """The words of a listing as a tsvector is written, those of its title once more behind a ^."""
    return " ".join(f"'{word}'" for word in title.split() + others.split() + [f"^{word}" for word in title.split()])


def psql(url, *statements):
    """Runs them; how many rows the last one made, if it says so."""
    command = [require() / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", url]
    statements = ["set client_min_messages = warning", "set synchronous_commit = off", *statements]
    done = subprocess.run(command, check=True, input=";\n".join(statements), stdout=subprocess.PIPE, text=True)
    made = re.findall(r"^INSERT 0 (\d+)", done.stdout, re.MULTILINE)
    return int(made[-1]) if made else None


def planned(listings, orders, full):
    small = Small(filled(SCALE))
    return small, Copies(small, listings, orders, full)


def grown(*size):
    """A data directory of that size, made once."""
    kept = KEPT / ("grown-" + "-".join(map(str, size)))
    if not kept.exists():
        into_sqlite(*planned(*size), KEPT / "growing")
        (KEPT / "growing").rename(kept)
    return present(kept)


def told(what, work):
    """Says how long the work took, and how many rows it made if it says so."""
    began = time.monotonic()
    made = work()
    rows = f"{made:>14,} rows" if isinstance(made, int) else " " * 19
    print(f"{what:24}{rows}{time.monotonic() - began:>8.1f} s", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listings", type=at_least(1))
    parser.add_argument("--orders", type=at_least(1))
    parser.add_argument("--full", type=at_least(0))
    parser.add_argument("--database-url")
    options = parser.parse_args()
    orders = options.orders or options.listings
    if (options.full or 0) > orders:
        parser.error(f"--full {options.full} is more than the {orders} orders there are")
    size = options.listings, orders, orders if options.full is None else options.full
    if options.database_url:
        into_postgres(*planned(*size), options.database_url)
    print(options.database_url or grown(*size))


if __name__ == "__main__":
    main()
