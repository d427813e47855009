"""A TCP proxy before a PostgreSQL that goes wrong on command, as networks do."""
import asyncio
import re
import socket
import struct
import threading

# The messages of PostgreSQL's protocol that matter here: a Query that is COMMIT, and ReadyForQuery outside a transaction.
COMMIT = re.compile(rb"Q\0\0\0\x0bcommit\0", re.IGNORECASE)
OVER = b"Z\0\0\0\5I"


class Proxy:
    """Forwards a port of its own to `port`. Its loop runs on a thread; the methods are for other threads."""

    def __init__(self, port):
        self.upstream = port
        self.port = None
        self.pairs = set()
        self.listener = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.flowing = None
        self.lose = None      # what happens to a COMMIT: called with the pair and the bytes, true when it took them over
        self.lost = 0         # COMMITs that were interfered with

    def __enter__(self):
        self.thread.start()
        self.call(self.open())
        return self

    def __exit__(self, *_):
        self.restore()
        self.refuse()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def restore(self):
        """Everything passes again; bytes that were held go on."""
        self.call(self.open())

    def refuse(self):
        """As if the host were up and the server not: connections break, new ones are refused."""
        self.call(self.close())

    def cut(self):
        """Every connection breaks; new ones pass."""
        self.call(self.break_all())

    def freeze(self):
        """As if the cable were pulled: nothing passes in either direction, and nothing breaks."""
        self.call(self.hold())

    def lose_answers(self, every):
        """The server is given each so-manyth COMMIT, and the connection breaks before the client has an answer."""
        self.interfere(every, self.deliver_then_break)

    def lose_commits(self, every):
        """The connection breaks in place of each so-manyth COMMIT."""
        self.interfere(every, self.break_only)

    def delay_commits(self, every, delay_s):
        """The connection breaks at each so-manyth COMMIT, which reaches the server later."""
        async def late(pair, data):
            pair.client.transport.abort()
            await asyncio.sleep(delay_s)
            await self.deliver_then_break(pair, data)
        self.interfere(every, late)

    def interfere(self, every, how):
        seen = 0

        async def lose(pair, data):
            nonlocal seen
            seen += 1
            if seen % every:
                return False
            self.lost += 1
            pair.silent = True
            await how(pair, data)
            return True
        self.lose = lose

    # On the loop's thread.

    async def open(self):
        self.lose = None
        self.flowing = self.flowing or asyncio.Event()
        self.flowing.set()
        if self.listener is None:
            self.listener = await asyncio.start_server(self.accept, "127.0.0.1", self.port or 0)
            self.port = self.listener.sockets[0].getsockname()[1]

    async def close(self):
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        await self.break_all()

    async def hold(self):
        self.flowing.clear()

    async def break_all(self):
        for pair in list(self.pairs):
            pair.abort()

    async def deliver_then_break(self, pair, data):
        pair.over.clear()
        pair.server.write(data)
        try:
            await asyncio.wait_for(pair.over.wait(), timeout=10)
        except TimeoutError:
            pass
        pair.abort()

    async def break_only(self, pair, _data):
        pair.abort()

    async def accept(self, client_reader, client_writer):
        await self.flowing.wait()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            client_writer.transport.abort()
            return
        pair = Pair(client_writer, server_writer)
        self.pairs.add(pair)
        try:
            await asyncio.gather(self.to_server(client_reader, pair), self.to_client(server_reader, pair))
        finally:
            self.pairs.discard(pair)
            pair.abort()

    async def to_server(self, reader, pair):
        while data := await read(reader):
            await self.flowing.wait()
            if self.lose and COMMIT.search(data) and await self.lose(pair, data):
                return
            pair.server.write(data)
        if not pair.silent:
            await self.flowing.wait()
            pair.server.close()

    async def to_client(self, reader, pair):
        while data := await read(reader):
            await self.flowing.wait()
            if data.endswith(OVER):
                pair.over.set()
            if not pair.silent:
                pair.client.write(data)
        await self.flowing.wait()
        pair.client.close()


class Pair:
    """The two halves of a connection."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.silent = False          # the client gets nothing any more
        self.over = asyncio.Event()  # the server has ended the transaction
        for writer in (client, server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def abort(self):
        for writer in (self.client, self.server):
            if not writer.is_closing():
                # A reset, which the other side sees at once.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def read(reader):
    """What has come; nothing at the end, however it came about."""
    try:
        return await reader.read(65_536)
    except OSError:
        return b""
