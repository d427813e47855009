"""The README's first ten minutes as commands and the answers that it shows. Ids, times and tokens differ from run to run
and are compared by their shape."""
import json
import re
import subprocess

from server import BINARY, ROOT

CHAPTER = "## The first ten minutes"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SECRET = re.compile(r'gh_(at|rt)_[\w-]+|ch_[0-9a-f]{32}|(?<="next_cursor": )"[\w-]+"')


def steps():
    """The commands of the chapter, each with the output that the README shows, or None."""
    text = (ROOT / "README.md").read_text()
    chapter = text.split(CHAPTER, 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", chapter, re.M | re.S)
    found = []
    for index, (kind, content) in enumerate(blocks):
        if kind == "sh":
            following = blocks[index + 1] if index + 1 < len(blocks) else ("", "")
            found.append((content, following[1] if following[0] in ("json", "text") else None))
    return found


def shape(output):
    """The output with what differs from run to run replaced, and JSON laid out alike."""
    try:
        output = json.dumps(json.loads(output), indent=1, ensure_ascii=False)
    except ValueError:
        pass
    for pattern, name in ((UUID, "<id>"), (TIME, "<time>"), (SECRET, "<secret>")):
        output = pattern.sub(name, output)
    return output.strip()


class Shell:
    """One bash for the whole walk, so that variables live on from step to step."""

    MARK = "--- end of step"

    def __init__(self, server):
        self.server = server
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=server.environment, cwd=server.directory,
        )
        self.run("set -uo pipefail")

    def run(self, commands):
        """What the commands print, and the status of the last one."""
        commands = commands.replace("localhost:8080", f"127.0.0.1:{self.server.port}")
        commands = commands.replace("cargo run --release --", str(BINARY)).replace("./target/release/guildhall", str(BINARY))
        self.process.stdin.write(f"{commands}\necho; echo '{self.MARK}' $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.MARK):
                return "".join(lines).strip(), int(line.rsplit(" ", 1)[1])
            lines.append(line)
        raise SystemExit(f"the shell ended at:\n{commands}\n{''.join(lines)}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def walk(server, after_each=lambda: None):
    """Runs every step against the server and compares what it prints; how many answers were compared."""
    if len(steps()) < 5:
        raise SystemExit(f"README.md has no chapter `{CHAPTER}` with commands")
    compared = 0
    shell = Shell(server)
    for number, (commands, shown) in enumerate(steps(), 1):
        printed, _ = shell.run(commands)
        if shown is not None and shape(printed) != shape(shown):
            raise SystemExit(f"step {number} of the README:\n{commands}\nprints:\n{printed}\n\nthe README says:\n{shown}")
        compared += shown is not None
        after_each()
    shell.close()
    return compared
