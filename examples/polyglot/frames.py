"""The sections Hello and Frames of PROTOCOL.md for asyncio, to be copied. The others are in child.py."""
import asyncio
import itertools
import os
import struct
from functools import partial

import msgpack

CALL, REPLY, ONEWAY, URGENT = range(4)  # classes of messages
WHOLE, FIRST, PIECE, ABORT, CREDIT, GRANT = range(0x10, 0x28, 4)  # kinds of frames, to which the class is added
PING, PONG, BYE = 0x30, 0x31, 0x32  # kinds that have no class
FRAME = 32768  # the longest payload
HEAD = FRAME - 8  # bytes of a long message that are in its first frame
LENGTHS = {WHOLE: (1, FRAME), WHOLE + URGENT: (1, 64), FIRST: (FRAME, FRAME), PIECE: (1, FRAME),
           ABORT: (0, 0), CREDIT: (0, 0), GRANT: (0, 0), PING: (0, 0)}
MAX_MESSAGE = 64 << 20  # the largest message that we accept
WINDOW = 256 << 10  # bytes of a class that the parent may send before we have taken some


def check(ok, what):
    if not ok:
        raise ValueError(what)


class Link:
    """Who sends waits for credit, for a grant and for the pipe. Who reads waits for none of them, or both sides could
    wait for each other to read."""

    def __init__(self, received):
        """received(c, message, taken) is called for each message, and calls taken when it no longer holds it."""
        self.received = received
        self.waiting = {}  # futures that frames will settle, by kind and id
        self.credit = [0, 0, 0]  # what we may send
        self.owed = [WINDOW, WINDOW, WINDOW]  # what the parent may send, but has not been told of
        self.arriving = {}  # long messages: total length and bytes so far, by class and id
        self.ids = (n & 0xffffffff for n in itertools.count())
        # A Lock lets in whoever has waited longest.
        self.turns = [asyncio.Lock(), asyncio.Lock(), asyncio.Lock()]  # of the first or only frames of each class
        self.piece, self.pipe = asyncio.Lock(), asyncio.Lock()

    async def run(self, fds):
        """Returns when the link has ended: the parent is gone or has closed it, or we have."""
        loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.reader), open(fds[0], "rb", 0))
        pipe = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, open(fds[1], "wb", 0))
        pipe[0].set_write_buffer_limits(0)  # drain waits until everything is in the pipe
        self.writer = asyncio.StreamWriter(*pipe, None, loop)
        try:
            await asyncio.wait_for(self.hello(), 10)
            await self.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the parent is gone
        finally:
            if not self.writer.is_closing():
                pipe[0].abort()
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the link to the parent has ended"))

    def close(self):
        """Closes the link in order, upon which the parent does too. What is still being sent does not arrive."""
        self.put(BYE)
        self.writer.close()

    async def hello(self):
        nonce = os.urandom(16)
        ours = msgpack.packb({"pid": os.getpid(), "lang": "python", "max_message": MAX_MESSAGE,
                              "bodies": ["msgpack"], "features": ["methods"], "nonce": nonce})
        self.writer.write(b"\xf1VIADUCT" + struct.pack("<HHI", 1, 1, len(ours)) + ours)
        magic, low, high, size = struct.unpack("<8sHHI", await self.reader.readexactly(16))
        check(magic == b"\xf1VIADUCT" and size <= 16384, "what the parent says is no hello")
        check(low <= 1 <= high, f"the parent speaks protocol versions {low} to {high}, this child 1 to 1")
        theirs = msgpack.unpackb(await self.reader.readexactly(size))
        encoding = theirs.get("encoding", "msgpack")
        check(encoding == "msgpack", f"the parent's encoding is {encoding}, this child's is msgpack")
        check(theirs["nonce"] != nonce, "the parent's hello is our own")
        self.limit = theirs["max_message"]

    async def send(self, c, message):
        """Sends a message. If it is cancelled before the last byte was sent, the message does not arrive."""
        kind, ident, head = WHOLE, 0, message
        if len(message) > FRAME:
            kind, ident, head = FIRST, next(self.ids), struct.pack("<Q", len(message)) + message[:HEAD]
        async with self.turns[c]:
            while self.credit[c] <= 0:
                await self.wait(CREDIT + c)
            await self.write(kind + c, ident, head)
            self.credit[c] -= len(head) + 32
            if kind == FIRST and c == ONEWAY:
                await self.send_rest(c, ident, message)  # in its turn: nothing of this class may pass it
        if kind == FIRST and c != ONEWAY:
            await self.send_rest(c, ident, message)

    async def send_rest(self, c, ident, message):
        try:
            await self.wait(GRANT + c, ident)
            for begin in range(HEAD, len(message), FRAME):
                await asyncio.sleep(0)  # the pipe may have room for ever, and others want to run
                async with self.piece:  # only one piece at a time waits for the pipe: short messages go ahead
                    await self.write(PIECE + c, ident, message[begin:begin + FRAME])
        except asyncio.CancelledError:
            self.waiting.pop((GRANT + c, ident), None)
            self.put(ABORT + c, ident)
            raise

    async def write(self, *frame):
        async with self.pipe:
            await self.writer.drain()  # before the frame, so that one of a cancelled task has not been written
            self.check_open()
            self.put(*frame)

    def check_open(self):
        if self.writer.is_closing():
            raise ConnectionError("the link to the parent has ended")

    def put(self, kind, ident=0, payload=b""):
        """Writes a frame without waiting: one that has waited, or a few bytes."""
        if not self.writer.is_closing():
            self.writer.write(struct.pack("<BBHI", kind, 0, len(payload), ident) + payload)

    async def wait(self, kind, ident=0):
        self.check_open()
        future = self.waiting[kind, ident] = asyncio.get_running_loop().create_future()
        await future

    async def read(self):
        for c in (CALL, REPLY, ONEWAY):
            self.taken(c, 0)
        while True:
            kind, zero, length, ident = struct.unpack("<BBHI", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(length)
            if kind < 0x80:  # those above need not be known
                least, most = LENGTHS.get(kind if kind & 3 == URGENT else kind & ~3, (1, 0))
                check(zero == 0 and least <= length <= most, f"a frame of kind {kind} with {length} bytes")
                if kind == BYE:
                    return
                self.handle(kind, ident, payload)

    def handle(self, kind, ident, payload):
        c, step = kind & 3, kind & ~3
        if step == WHOLE:
            self.received(c, payload, partial(self.taken, c, len(payload) + 32))
        elif step == FIRST:
            total = int.from_bytes(payload[:8], "little")
            check(FRAME < total <= MAX_MESSAGE and (c, ident) not in self.arriving, f"a long message of {total} bytes")
            self.arriving[c, ident] = total, bytearray(payload[8:])
            self.put(GRANT + c, ident)  # at once: WINDOW lets the parent begin 8, whose memory we can afford
        elif step == PIECE:
            total, message = self.arriving[c, ident]
            message += payload
            check(len(message) <= total, "more of a message than its length")
            if len(message) == total:
                del self.arriving[c, ident]
                self.received(c, message, partial(self.taken, c, FRAME + 32))
        elif step == ABORT:
            del self.arriving[c, ident]
            self.taken(c, FRAME + 32)
        elif step == CREDIT:
            self.credit[c] += ident
            if self.credit[c] > 0:
                self.settle(kind, 0)
        elif step == GRANT:
            self.settle(kind, ident)
        elif kind == PING:
            self.put(PONG, ident)

    def settle(self, kind, ident):
        future = self.waiting.pop((kind, ident), None)
        if future and not future.done():
            future.set_result(None)

    def taken(self, c, cost):
        self.owed[c] += cost
        if self.owed[c] >= WINDOW // 2:
            self.put(CREDIT + c, self.owed[c])
            self.owed[c] = 0
