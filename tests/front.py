"""An nginx of the tests' own in front of several nodes, with the configuration in deploy/nginx as it stands there: only the
addresses are replaced."""
import http.client
import os
import pathlib
import subprocess
import time

from debian import program
from postgres import free_port
from server import ROOT, Server

FILES = ROOT / "deploy/nginx"
#: Where the nodes are in those files.
ADDRESSES = ("127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083")
MAIN = """
{user}
daemon off;
pid nginx.pid;
error_log error.log notice;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {site};
}}
"""


class Front(Server):
    """Answers like one server, and runs the commands of the program on the nodes' database."""

    def __init__(self, directory, nodes, site="guildhall.conf"):
        super().__init__(directory)
        self.nodes, self.site = nodes, site
        self.environment = nodes[0].environment | {"GUILDHALL_LISTEN": f"127.0.0.1:{self.port}"}
        self.directory.mkdir()

    def __enter__(self):
        self.start()
        return self

    def start(self):
        for file in FILES.iterdir():
            text = file.read_text().replace("listen 80;", f"listen 127.0.0.1:{self.port};")
            for address, node in zip(ADDRESSES, self.nodes, strict=True):
                text = text.replace(address, f"127.0.0.1:{node.port}")
            (self.directory / file.name).write_text(text)
        main = MAIN.format(site=self.site, user="user root;" if os.geteuid() == 0 else "")
        (self.directory / "nginx.conf").write_text(main)
        command = [program("nginx", "nginx-light"), "-p", str(self.directory), "-c", "nginx.conf", "-e", "error.log"]
        self.process = subprocess.Popen(command)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.request("GET", "/livez")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise SystemExit(f"nginx does not answer: {self.log()[-2000:]}")

    def log(self):
        file = self.directory / "error.log"
        return file.read_text(errors="replace") if file.exists() else ""
