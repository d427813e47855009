"""The loads of scripts/bench: what is sent to a server, and to the ceiling that it is compared with."""
import contextlib
import json
import re
import socket
import statistics
import subprocess
import sys
import urllib.parse

from grow import ROOT
from server import PASSWORD
from used import cpu, resident

CONNECTIONS = 64


def recorded(port, line, file):
    """Keeps one answer as it comes over the wire."""
    method, path, token, body = line.split("\t")
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    head += [f"Authorization: Bearer {token}"] if token else []
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        while part := peer.recv(65536):
            answer += part
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        sys.exit(f"scripts/bench: {method} {path} answered {answer[:2000].decode()}")
    file.write_bytes(answer)


def command_of_wrk(port, requests, seconds, threads, connections):
    return [
        "wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
        "-s", ROOT / "benches/turns.lua", f"http://127.0.0.1:{port}", "--", requests,
    ]


def wrk(port, requests, seconds):
    command = command_of_wrk(port, requests, seconds, threads=2, connections=CONNECTIONS)
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(said.splitlines()[-1])
    if result["failed"] or result["broken"]:
        sys.exit(f"scripts/bench: {result['failed']} requests were refused and {result['broken']} broken: {result}")
    return result | {"rate": result["requests"] / result["seconds"]}


@contextlib.contextmanager
def ceiling(program, file):
    process = subprocess.Popen([program, file], stdout=subprocess.PIPE, text=True)
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


class Bench:
    """A server under load. `services` are listings that are read and bought; unless they are given, the newest thousand are
    read, and bought is what the benchmark's own people sell."""

    def __init__(self, options, programs, directory, server, used, services=None):
        self.options, self.programs, self.directory = options, programs, directory
        self.server, self.used = server, used
        self.services = services or self.newest()
        self.cast = self.make_cast()
        self.bought = [service["id"] for service in services or []] or [seller["listing"] for seller in self.cast["sellers"]]

    def newest(self):
        services, cursor = [], ""
        while cursor is not None and len(services) < 1_000:
            page = self.server.expect(200, "GET", f"/services?limit=100{cursor}")
            services += page["data"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return services

    def make_cast(self):
        """People of the benchmark's own, and where the marketplace's things are."""
        expect = self.server.expect
        buyers = [self.server.person("buyer")[1] for _ in range(CONNECTIONS)]
        sellers = [self.seller() for _ in range(8)]
        services = self.services
        readers = [self.with_an_inbox(buyers[0]) for _ in range(8)]
        self.category = urllib.parse.quote(statistics.mode(service["category"] for service in services))
        username = expect(200, "GET", "/users/me", buyers[0])["username"]
        words = [" ".join(re.findall(r"\w{4,}", service["title"])[:2]) for service in services]
        self.words = sorted({urllib.parse.quote(pair) for pair in words if " " in pair})
        return {
            "address": f"127.0.0.1:{self.server.port}", "buyers": buyers, "sellers": sellers, "readers": readers,
            "reads": [f"/services/{service['id']}" for service in services[:500]] + [self.list()] * 100
            + [f"/profiles/{service['freelancer_id']}" for service in services[:100]],
            "own_reads": ["/users/me", "/notifications/me"], "username": username, "password": PASSWORD,
        }

    def seller(self):
        _, token = self.server.person("freelancer")
        offer = {"title": "A sign for a door", "description": "Painted by hand.", "category": "Signs", "price": "80.00"}
        return {"token": token, "listing": self.server.expect(201, "POST", "/services", token, offer)["id"]}

    def with_an_inbox(self, buyer):
        """Somebody with a page of notifications, whom no load sends more: what is unread is counted."""
        seller = self.seller()
        for _ in range(20):
            self.server.expect(201, "POST", "/orders", buyer, {"service_id": seller["listing"]})
        return seller["token"]

    def cast_file(self):
        file = self.directory / "cast.json"
        file.write_text(json.dumps(self.cast))
        return file

    def list(self, cursor=None):
        return f"/services?category={self.category}&sort=price" + (f"&cursor={cursor}" if cursor else "")

    def far_page(self):
        """The thousandth page, or the last full one."""
        path = last = self.list()
        for _ in range(1_000):
            page = self.server.expect(200, "GET", path)
            if len(page["data"]) == 20:
                last = path
            if page["next_cursor"] is None:
                break
            path = self.list(page["next_cursor"])
        return last

    def requests(self, load):
        """The lines that wrk sends in turn."""
        buyers, bought = self.cast["buyers"], self.bought
        match load:
            case "R":
                return [f"GET\t/services/{service['id']}\t\t" for service in self.services]
            case "L":
                return [f"GET\t{self.list()}\t\t"]
            case "L1000":
                return [f"GET\t{self.far_page()}\t\t"]
            case "Q":
                return [f"GET\t/services?q={pair}\t\t" for pair in self.words]
            case "P":
                return [f"GET\t/profiles/{service['freelancer_id']}\t\t" for service in self.services]
            case "V":
                return [f"GET\t/reviews/{service['id']}\t\t" for service in self.services]
            case "A":
                return [f"GET\t/users/me\t{buyer}\t" for buyer in buyers]
            case "N":
                return [f"GET\t/notifications/me\t{reader}\t" for reader in self.cast["readers"]]
            case "W":
                orders = [json.dumps({"service_id": listing}) for listing in bought]
                turns = range(max(len(buyers), len(orders)))
                return [f"POST\t/orders\t{buyers[turn % len(buyers)]}\t{orders[turn % len(orders)]}" for turn in turns]

    def prepared(self, load):
        """A file with the requests of a load."""
        file = self.directory / f"requests-{load}"
        if not file.exists():
            file.write_text("".join(line + "\n" for line in self.requests(load)))
        return file

    def at_its_peak(self, load, seconds):
        before = self.used()
        came = wrk(self.server.port, self.prepared(load), seconds)
        return came | {"cpu": (self.used() - before) / came["requests"] * 1e6}

    def steady(self, load, rate):
        """At a rate of its own."""
        came = self.drive("steady", self.cast["address"], self.prepared(load), self.options.seconds, rate)
        if came["refused"]:
            sys.exit(f"scripts/bench: {came['refused']} requests of {load} were refused at {rate:.0f} a second")
        return came

    def against_ceiling(self, load):
        """Each round asks the ceiling, then the program: what is compared has the same neighbours."""
        requests, answer = self.prepared(load), self.directory / "answer"
        recorded(self.server.port, requests.read_text().split("\n")[0], answer)
        rounds, tops = [], []
        with ceiling(self.programs["ceiling"], answer) as (pid, port):
            for _ in range(self.options.rounds):
                before = cpu(pid)
                top = wrk(port, requests, self.options.seconds)
                tops.append(top | {"cpu": (cpu(pid) - before) / top["requests"] * 1e6})
                came = self.at_its_peak(load, self.options.seconds)
                rounds.append(came | {"ratio": came["rate"] / top["rate"]})
        return middle(rounds) | {"ceiling": middle(tops), "bytes": answer.stat().st_size}

    def drive(self, *arguments):
        command = [self.programs["drive"], *map(str, arguments)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def life(self):
        rounds = []
        for _ in range(self.options.rounds):
            before = self.used()
            came = self.drive("life", self.cast_file(), self.options.seconds)
            used = (self.used() - before) / came["whole"]["count"] * 1e6
            rounds.append({"rate": came["rate"], "cpu": used} | {name: came["whole"][name] for name in ("p50", "p99", "p999", "max")})
        return middle(rounds) | {"steps": came["steps"]}

    def beside_logins(self):
        """Reads while four log in without a pause; the ratio is to the same reads without them."""
        account = {"username": self.cast["username"], "password": self.cast["password"]}
        logins = self.directory / "requests-logins"
        logins.write_text(f"POST\t/users/login\t\t{json.dumps(account)}\n")
        rounds = []
        for _ in range(self.options.rounds):
            alone = self.at_its_peak("R", self.options.seconds)
            beside = command_of_wrk(self.server.port, logins, self.options.seconds + 1, threads=1, connections=4)
            with subprocess.Popen(beside, stdout=subprocess.PIPE, text=True) as crowd:
                came = self.at_its_peak("R", self.options.seconds)
                logged_in = json.loads(crowd.communicate()[0].splitlines()[-1])
            rounds.append(came | {"ratio": came["rate"] / alone["rate"], "logins": logged_in["requests"] / logged_in["seconds"]})
        return middle(rounds)

    def mixed(self):
        """As fast as it goes, then at half of that, without logins and with one in a hundred."""
        peak = statistics.median(self.drive("mixed", self.cast_file(), self.options.seconds, 0, "no")["rate"] for _ in range(self.options.rounds))
        half = {}
        for logins in ("no", "yes"):
            rounds = [self.drive("mixed", self.cast_file(), self.options.seconds, peak / 2, logins) for _ in range(self.options.rounds)]
            half[logins] = {kind: middle([came[kind] for came in rounds]) for kind in ("reads", "writes", "logins")}
        return {"rate": peak, "half": half}

    def run(self, load):
        match load:
            case "M":
                result = self.life()
            case "R4":
                result = self.beside_logins()
            case "X":
                result = self.mixed()
            case _:
                result = self.against_ceiling(load)
        return result | {"memory": resident(self.server.process.pid)}


def middle(rounds):
    """The median of each figure."""
    names = [name for name, value in rounds[0].items() if value is not None]
    return {name: statistics.median(round[name] for round in rounds) for name in names}
