"""A Guildhall in a process of its own, for the tests that kill it, fuzz it and walk through the README."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import postgres

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("GUILDHALL_BINARY", ROOT / "target/ci/guildhall"))
PASSWORD = "quiet copper lantern"


class Refused(Exception):
    """An answer with another status than the expected one."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path} answered {status}: {body}")
        self.status, self.body = status, body


class Server:
    """The program on a data directory, or on a database of its own where GUILDHALL_TEST_DATABASE_URL names a server, but
    for an embedded one; limits are off. Logs go to `server.log` beside the data."""

    def __init__(self, directory, database_url=None, embedded=False):
        self.directory = pathlib.Path(directory)
        self.binary = BINARY
        self.port = postgres.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.environment = os.environ | {
            "GUILDHALL_DATA_DIR": str(self.directory / "data"),
            "GUILDHALL_LISTEN": f"127.0.0.1:{self.port}",
            "GUILDHALL_RATE_LIMIT": "off",
        }
        self.database_url = database_url
        self.embedded = embedded
        #: Seconds that one answer may take.
        self.patience = 20
        self.afterwards = contextlib.ExitStack()

    def __enter__(self):
        server = os.environ.get(postgres.SERVER_URL)
        if server and not self.database_url and not self.embedded:
            self.database_url = self.afterwards.enter_context(postgres.database(server))
        if self.database_url:
            self.environment |= {"GUILDHALL_DATABASE_URL": self.database_url, "GUILDHALL_ALLOW_UNSAFE_DATABASE": "true"}
        self.start()
        return self

    def __exit__(self, *_):
        with self.afterwards:
            if self.process is not None:
                self.stop()

    def start(self):
        """Starts it and returns the seconds until it was ready."""
        began = time.monotonic()
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen([self.binary], env=self.environment, cwd=self.directory, stdout=log, stderr=log)
        while time.monotonic() < began + 20:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended: {self.log()[-2000:]}")
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return time.monotonic() - began
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.001)
        raise SystemExit(f"not ready within 20 s: {self.log()[-2000:]}")

    def kill(self):
        """kill -9: no chance to finish anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.process = None
        if code != 0:
            raise SystemExit(f"exit code {code} after SIGTERM")

    def log(self):
        return (self.directory / "server.log").read_text(errors="replace")

    def run(self, *arguments, text=None):
        """Runs another command of the program on the same data."""
        return subprocess.run(
            [self.binary, *arguments], env=self.environment, cwd=self.directory, input=text, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def verify(self):
        """Fails with the witnesses if an invariant does not hold."""
        done = self.run("verify")
        if done.returncode != 0:
            raise SystemExit(f"guildhall verify: exit {done.returncode}\n{done.stdout}")

    def request(self, method, path, token=None, body=None, key=None):
        """One request on a connection of its own: status and JSON."""
        status, _, answer = self.ask(method, path, token, body, key)
        return status, answer

    def ask(self, method, path, token=None, body=None, key=None):
        """The same with the headers: status, headers and JSON."""
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, answer.headers, json.loads(content) if is_json and content else None
        finally:
            connection.close()

    def expect(self, status, method, path, token=None, body=None, key=None):
        """The JSON of an answer that must have this status."""
        came, answer = self.request(method, path, token, body, key)
        if came != status:
            raise Refused(method, path, came, answer)
        return answer

    def person(self, role):
        """A new account, logged in: (id, token)."""
        name = f"{role}-{uuid.uuid4().hex[:12]}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "role": role}
        identity = self.expect(201, "POST", "/users/register", body=account)["id"]
        return identity, self.log_in(name)

    def admin(self):
        """The token of a new administrator, made by the command line."""
        name = f"keeper-{uuid.uuid4().hex[:12]}"
        arguments = ["admin", "create", "--username", name, "--email", f"{name}@example.com", "--password-stdin"]
        done = self.run(*arguments, text=PASSWORD + "\n")
        if done.returncode != 0:
            raise SystemExit(f"admin create: {done.stdout}")
        return self.log_in(name)

    def log_in(self, name):
        return self.expect(200, "POST", "/users/login", body={"username": name, "password": PASSWORD})["access_token"]
