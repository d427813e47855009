"""The leader of a database cluster is lost in every way while clients write: see tests/ha.sh, which starts the cluster."""
import json
import os
import pathlib
import subprocess
import sys
import time

from buying import Retrying, expect, until
from server import ROOT, Server

CLIENTS = 4
#: A leader's lease, the time to notice, and what two busy cores add.
WRITTEN_AGAIN_WITHIN_S = 60.0
REJOINED_WITHIN_S = 90.0


class Cluster:
    def __init__(self, directory):
        self.directory = directory

    def rehearse(self, command, *arguments):
        subprocess.run([ROOT / "deploy/ha/rehearsal", command, self.directory, *arguments], check=True, stdout=subprocess.DEVNULL)

    def members(self):
        config = self.directory / "patroni1.yml"
        listed = subprocess.run(["patronictl", "-c", config, "list", "-f", "json"], capture_output=True, text=True).stdout
        try:
            return json.loads(listed)
        except ValueError:
            return []

    def leader(self):
        """The number of the server that leads, or None."""
        return next((one["Member"][2:] for one in self.members() if one["Role"] == "Leader" and one["State"] == "running"), None)

    def is_whole(self):
        """Whether one leads, and two follow of which one is waited for at each commit."""
        roles = sorted(one["Role"] for one in self.members() if one["State"] in ("running", "streaming"))
        return roles == ["Leader", "Replica", "Sync Standby"]

    def postmaster(self, number):
        return int((self.directory / f"pg{number}/data/postmaster.pid").read_text().splitlines()[0])

    def processes(self, number):
        """Everything that runs on a server."""
        own = [int((self.directory / f"{name}{number}.pid").read_text()) for name in ("etcd", "patroni")]
        postmaster = self.postmaster(number)
        workers = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True).stdout.split()
        return [*own, postmaster, *map(int, workers)]


def power_cut(cluster, leader):
    """kill -9 of all that runs on the leader's machine."""
    cluster.rehearse("kill", leader)
    return lambda: cluster.rehearse("up", leader)


def crash(cluster, leader):
    """PostgreSQL alone dies; Patroni is there to start it again."""
    os.kill(cluster.postmaster(leader), 9)
    return lambda: None


def freeze(cluster, leader):
    """The leader's machine stands still, and wakes up when another one leads."""
    stopped = cluster.processes(leader)
    for process in stopped:
        os.kill(process, 19)

    def wake():
        for process in stopped:
            os.kill(process, 18)
    return wake


def switch(cluster, leader):
    """Somebody hands over in order, before an upgrade of the machine."""
    config = cluster.directory / "patroni1.yml"
    subprocess.run(["patronictl", "-c", config, "switchover", "--force", "--master", f"pg{leader}"], check=True, stdout=subprocess.DEVNULL)
    return lambda: None


WAYS = [("power cut", power_cut, True), ("PostgreSQL crashed", crash, False), ("frozen", freeze, True), ("switched over", switch, True)]


def lose(server, cluster, name, way, other_leads):
    until("the cluster is whole", cluster.is_whole, REJOINED_WITHIN_S)
    leader = cluster.leader()
    clients = [Retrying(server, f"{name}-{number}".replace(" ", "-")) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(3)
    lost_at = time.monotonic()
    mend = way(cluster, leader)
    if other_leads:
        until(f"{name}: another one leads", lambda: cluster.leader() not in (None, leader), WRITTEN_AGAIN_WITHIN_S)
    acknowledged = lambda: sum(client.acknowledged for client in clients)
    now = acknowledged()
    until(f"{name}: it is written again", lambda: acknowledged() > now + 20, WRITTEN_AGAIN_WITHIN_S)
    mend()
    time.sleep(3)
    for client in clients:
        client.stop()
        expect(client.wrong is None, f"{name}: {client.wrong}")
        client.check()
    server.verify()
    answers = sorted(moment for client in clients for moment in client.answered_at)
    gap_s = max((after - before for before, after in zip(answers, answers[1:]) if after > lost_at), default=0.0)
    rejoined_s = until(f"{name}: the cluster is whole again", cluster.is_whole, REJOINED_WITHIN_S)
    expect(server.request("GET", "/readyz")[0] == 200, f"{name}: not ready")
    print(
        f"ha: {name}: {acknowledged()} acknowledged writes, all there; {gap_s:.1f} s without one; "
        f"whole {rejoined_s:.1f} s after the check; verify is clean", flush=True,
    )


def main():
    directory, times = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    cluster = Cluster(directory / "servers")
    (directory / "node").mkdir()
    with Server(directory / "node", os.environ["GUILDHALL_DATABASE_URL"]) as server:
        for number in range(times):
            for name, way, other_leads in WAYS:
                lose(server, cluster, f"{name} ({number + 1})", way, other_leads)
        expect("panicked" not in server.log(), "it panicked: see its log")
    print("ha: all of it holds")


if __name__ == "__main__":
    main()
