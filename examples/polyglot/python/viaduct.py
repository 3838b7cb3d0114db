"""A child of a viaduct parent, in Python 3.9 or later on Unix. Copy this file; it needs the package msgpack.

    import viaduct

    peer = viaduct.Peer()

    @peer.method("Child.Frontflip")
    def frontflip(height):                      # an ordinary function, run in a thread of its own
        return peer.call("Parent.Judge", height)  # may call back, to any depth

    peer.connect()                              # raises NotAChild if nobody started this program as one
    peer.notify("Parent.Tell", "ready")         # one way; has returned: the bytes are with the system
    peer.wait()                                 # until the parent ends the link, and so should the program

Calls: peer.call(method, argument, timeout=seconds, meta={}) returns the result, or raises an Error: see there.
peer.submit is the same without waiting: it returns a concurrent.futures.Future, whose cancel() cancels the call.
Notifications are handled one at a time, in their order; calls at once, up to `threads`, and more wait for a place.

In a method viaduct.current() is the Call it serves: its deadline, meta, and `cancelled`, an Event that is set when
the caller has given up. Threads cannot be stopped: who works for long looks at it (current().check() raises). Calls
that a method makes, in its own thread, are nested in the call that it serves: they end with it and with its deadline.
A method that raises MethodError(text, code=, data=, names=) has all of that cross; of other exceptions the text does.

Streams: peer.open(), peer.accept(), and peer.offer(), which returns a name to send in a message and the stream; the
other side opens it by its name, as peer.open(name) does here. stream.read(n) returns b"" when the other side has
ended it in order, and raises StreamError or Down when it has not. In a with statement an exception resets it.

peer.shutdown() ends the link when nothing is going on any more, peer.close() at once.

Values are what msgpack makes of them: dict, list, str, bytes, numbers, None, Timestamp (and datetime with a zone on
the way out), ExtType. A str that is not UTF-8 has surrogate escapes. Why threads: a method is then any function,
also one that blocks or computes, and there is no colour to tell callers of; the price is a thread for each call that
runs. The rules are in docs/PROTOCOL.md of viaduct; its words are used here.
"""
import collections
import concurrent.futures
import inspect
import os
import re
import select
import signal
import stat
import struct
import sys
import threading
import time
import traceback

import msgpack

CALL, REPLY, NOTIFICATION, URGENT = range(4)  # classes of messages
WHOLE, FIRST, PIECE, ABORT, CREDIT, GRANT = range(0x10, 0x28, 4)  # kinds of frames; the class is added
PING, PONG, BYE, SHUTDOWN, IDLE, OPEN, ACCEPT = 0x30, 0x31, 0x32, 0x33, 0x34, 0x40, 0x41
DATA, STREAM_CREDIT, END, STOP, RESET = range(0x42, 0x4c, 2)  # 1 is added by the side that did not open the stream
FRAME = 32768  # the longest payload
HEAD = FRAME - 8  # bytes of a long message in its first frame
BATCH = 64 << 10  # bytes written at once, and of short messages that go ahead of a piece of a long one
WINDOW = 256 << 10  # bytes of a class, or of a stream, that may come before some of them were dealt with
MOST_CREDIT = 1 << 30
MAX_DEPTH = 1000  # of arrays and maps in a value
BACKLOG = 128  # streams that wait for accept
MAX_WAITING = 16384  # calls that wait for a thread; and QUEUE bytes of them
MAX_SERVED = 512 << 20  # bytes of the calls that are served at once
QUEUE = 64 << 20  # notifications give their credit back at once up to here, so that their sender need not wait
MAGIC = b"\xf1VIADUCT"
FEATURES = ["streams", "shutdown", "calls", "sync", "methods"]
STRINGS = {"unicode_errors": "surrogateescape"}  # a string of Go need not be UTF-8

_LENGTHS = {kind + c: length for c in range(3) for kind, length in (
    (WHOLE, (1, FRAME)), (FIRST, (FRAME, FRAME)), (PIECE, (1, FRAME)), (ABORT, (0, 0)), (CREDIT, (0, 0)), (GRANT, (0, 0)))}
_LENGTHS.update({kind: (0, 0) for kind in (PING, PONG, BYE, SHUTDOWN, IDLE)})
_LENGTHS.update({kind + by: length for by in range(2) for kind, length in (
    (DATA, (1, FRAME)), (STREAM_CREDIT, (4, 4)), (END, (0, 0)), (STOP, (0, 0)), (RESET, (4, 4)))})
_LENGTHS.update({WHOLE + URGENT: (1, 64), OPEN: (8, 8), ACCEPT: (4, 4)})


class Error(Exception):
    """What calls, notifications and streams fail with. not_begun: it is certain that the method was not begun."""
    not_begun = False


class MethodError(Error):
    """The other side has answered with an error; or, raised by a method, what it is to answer with.

    names are those that both sides know, such as "io.EOF"; panic is the value and stack of a Go method that has."""

    def __init__(self, text="", code=None, data=None, names=(), panic=None, not_begun=False):
        super().__init__(text)
        self.text, self.code, self.data, self.names = text, code, data, tuple(names)
        self.panic, self.not_begun = panic, not_begun


class _Own(MethodError):
    """What this side says of a call itself, not a method of it."""


class Overload(MethodError):
    """The other side has too much to do, and did not begin the method."""


class NotSent(Error):
    """The call cannot be encoded, is larger than the other side takes, or the link is shutting down."""
    not_begun = True


class Cancelled(Error):
    """The call was cancelled here, or the one that it was made for was."""


class DeadlineExceeded(Error, TimeoutError):
    """The time given is over."""


class Down(Error, ConnectionError):
    """The link has ended. Orderly, if both sides know that it was to."""
    orderly = False


class ProtocolError(Down):
    """The other side has sent what it must not. The link has ended."""


class StreamError(Error, ConnectionError):
    """The other side has reset the stream, refused it, or reads it no more."""


class NotAChild(Error):
    """This program was not started as a child of a viaduct parent."""


def check(ok, what):
    if not ok:
        raise ProtocolError(what)


# --- How a child learns of its link -------------------------------------------------------------------------------

def _claim(argv):
    """Takes the two words that tell a child of its link out of argv. Returns descriptors, or why there are none."""
    for i in range(1, len(argv) - 1):
        version, place = argv[i:i + 2]
        if re.fullmatch(r"viaduct\.[0-9]+", version) and re.match("[a-z]+:", place):
            break
    else:
        return NotAChild("this program is a child: a viaduct parent must start it (rpcpipe.Start), and has not")
    del argv[i:i + 2]
    stdio = place == "stdio:0,1"
    match = re.fullmatch("fd:([1-9][0-9]*),([1-9][0-9]*)(?:,([1-9][0-9]*))?", place)
    fds = [0, 1] if stdio else [int(n) for n in match.groups() if n] if match else []
    if version != "viaduct.1" or not fds or not stdio and (min(fds) < 3 or len(set(fds)) < len(fds)):
        return NotAChild(f"cannot use {version} {place}: expected viaduct.1 and fd:R,W or stdio:0,1")
    try:
        if not all(stat.S_ISFIFO(m) or stdio and stat.S_ISSOCK(m) for m in (os.fstat(fd).st_mode for fd in fds)):
            return NotAChild(f"{place} are not open pipes")
    except OSError as e:
        return NotAChild(f"{place}: {e}")
    if stdio:  # what the program prints goes to stderr; it reads nothing
        fds = [os.dup(0), os.dup(1)]
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    for fd in fds:  # a third one is for the crashes of Go programs
        os.set_inheritable(fd, False)
    return fds[:2]


_claimed = _claim(sys.argv)  # before the program looks at its arguments


# --- Values -------------------------------------------------------------------------------------------------------

def _sizes():
    size = [1] * 0x80 + [0] * 0x20 + [1 + n for n in range(32)] + [0] * 32 + [1] * 32
    size[0xc0] = size[0xc2] = size[0xc3] = 1
    for k, n in zip((0xca, 0xcb, *range(0xcc, 0xd9)), (5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18)):
        size[k] = n
    return size


_SIZE = _sizes()  # of the values whose first byte says it
# The others: bytes of the length, values (or 0, for bytes) for each that it counts, and bytes besides.
_COUNTED = {0xc4: (1, 0, 0), 0xc5: (2, 0, 0), 0xc6: (4, 0, 0), 0xc7: (1, 0, 1), 0xc8: (2, 0, 1), 0xc9: (4, 0, 1),
            0xd9: (1, 0, 0), 0xda: (2, 0, 0), 0xdb: (4, 0, 0), 0xdc: (2, 1, 0), 0xdd: (4, 1, 0), 0xde: (2, 2, 0),
            0xdf: (4, 2, 0), **{0x80 + n: (0, 2, 0) for n in range(16)}, **{0x90 + n: (0, 1, 0) for n in range(16)}}


def _skip(b, i, depth=MAX_DEPTH):
    """Returns where the value at i ends. Whatever it says, it takes no memory: decoding takes as much as there is."""
    left, around, end = 1, [], len(b)
    while True:
        if i >= end:
            raise ValueError("cut off")
        size = _SIZE[b[i]]
        if size:
            i += size
        else:
            if b[i] not in _COUNTED:
                raise ValueError("no MessagePack")
            width, values, more = _COUNTED[b[i]]
            n = int.from_bytes(b[i + 1:i + 1 + width], "big") if width else b[i] & 15
            i += 1 + width + more
            if not values:
                i += n
            elif n:
                if n * values > end - i:
                    raise ValueError("more values than bytes")
                if len(around) >= depth:
                    raise ValueError(f"nested more than {depth} deep")
                around.append(left - 1)
                left = n * values
                continue
        left -= 1
        while not left:
            if not around:
                if i > end:
                    raise ValueError("cut off")
                return i
            left = around.pop()


def _unpack(b, depth=MAX_DEPTH):
    if _skip(b, 0, depth) != len(b):
        raise ValueError("something behind the value")
    return msgpack.unpackb(b, strict_map_key=False, **STRINGS)


def _pack(value):
    return msgpack.packb(value, datetime=True, **STRINGS)


def _unique(pairs):
    d = dict(pairs)
    if len(d) < len(pairs) or not all(isinstance(k, str) for k in d):
        raise ValueError("a key that is no str, or comes twice")
    return d


def _hello(hello, nonce, ours):
    """Checks the map of a hello."""
    try:
        if _skip(hello, 0, 8) != len(hello):
            raise ValueError("something behind the map")
        them = msgpack.unpackb(hello, strict_map_key=False, object_pairs_hook=_unique, **STRINGS)
    except ValueError as e:
        raise ProtocolError(f"the parent's hello is malformed: {e}") from None
    check(isinstance(them, dict), "the parent's hello has no map")
    them = {"encoding": "msgpack", "features": [], "name": "", "version": "", "needs": ["", "", ""], **them}
    most, theirs, needs = them.get("max_message"), them.get("nonce"), them["needs"]
    check(type(most) is int and most > 0, f"the parent's hello has a max_message of {most!r}")
    check(isinstance(theirs, bytes) and len(theirs) == 16, "the parent's hello has no nonce of 16 bytes")
    check(theirs != nonce, "the parent's hello is our own: the connection echoes")
    check(isinstance(them["features"], list), "the features in the parent's hello are no array")
    check(them["encoding"] == "msgpack", f"the parent's encoding is {them['encoding']}, this child's is msgpack")
    check(isinstance(needs, list) and len(needs) == 3, "the needs in the parent's hello are not three texts")
    for need, who, is_named in ((needs, ours, "this child is"), (ours["needs"], them, "the parent is")):
        fits = _fits(who["version"], need[1], int.__ge__) and _fits(who["version"], need[2], int.__le__)
        check(fits and need[0] in ("", who["name"]),
              f"{is_named} {who['name']!r} {who['version']!r}, and asked for is {' '.join(need)!r} (name, lowest, highest)")
    return them


def _fits(version, limit, compare):
    if not limit:
        return True
    parts = [re.findall("[0-9]+", re.split("[-+]", str(v), maxsplit=1)[0]) for v in (version, limit)]
    have, want = ([int(n) for n in p] for p in parts)
    have = (have + [0] * len(want))[:len(want)]
    for h, w in zip(have, want):
        if h != w:
            return compare(h, w)
    return bool(version)


# --- Frames -------------------------------------------------------------------------------------------------------

_HEADER = struct.Struct("<BBHI")
_U32, _OPENING, _TOTAL = struct.Struct("<I"), struct.Struct("<II"), struct.Struct("<Q")


def _frame(kind, ident=0, payload=b""):
    return _HEADER.pack(kind, 0, len(payload), ident & 0xffffffff) + payload


class _Out:
    """A message to be sent. gone: its last byte has been handed to the writer. written: it is with the system, or,
    if ok is not set, it never will be. then is called, with the lock, when it is."""

    def __init__(self, c, data, then=None):
        self.c, self.data, self.then = c, memoryview(data), then
        self.sent, self.ident, self.granted, self.gone, self.ok = 0, None, False, False, False
        self.written = threading.Event()

    def finish(self):
        self.ok = True
        self.written.set()
        if self.then:
            self.then()


class _In:
    """A long message that is arriving."""

    def __init__(self, total, data):
        self.total, self.data, self.granted = total, bytearray(data), False


class _Link:
    """The frames. One lock guards all; the reader takes it, but waits for nothing else. Only the writer writes."""

    def __init__(self, fds, peer):
        self.read_fd, self.write_fd = fds
        self.peer, self.lock, self.max_message = peer, peer.lock, peer.max_message
        self.wake = threading.Condition(self.lock)  # the writer waits here
        self.quiet = threading.Condition(self.lock)  # shutdown and accept wait here
        self.stopped, self.stop = os.pipe()  # stop is closed when both threads are to end
        self.buffer = bytearray()
        self.reason = None  # why the link has ended
        self.closing = self.said_bye = False
        # What this side sends.
        self.pong, self.pings = None, {}
        self.control = collections.deque()  # small frames, and what to call when they are written
        self.answers = {}  # frames, by ids of streams that the parent has opened
        self.queues = [collections.deque() for _ in range(3)]  # messages not begun, by class
        self.turns = [REPLY, CALL, NOTIFICATION]  # the class that has waited longest is the first
        self.long = {}  # messages begun and not ended, by class and id
        self.ready = collections.deque()  # long messages and streams that may send their next bytes
        self.ahead = 0  # bytes of short messages since the last of these
        self.credit, self.last_id, self.begun = [0, 0, 0], 0, 0
        # What the parent sends.
        self.owed, self.allowed = [WINDOW] * 3, [0, 0, 0]  # credit that it has not been told of; that it has
        self.arriving, self.received = {}, 0
        self.ungranted, self.granted = [collections.deque() for _ in range(3)], [0, 0, 0]
        # Streams.
        self.streams, self.offers, self.backlog = {}, {}, collections.deque()
        self.last_in = self.last_out = None
        self.unread = set()  # streams that have ended, and have bytes that nobody has read
        # The end.
        self.draining = self.shutting = False
        self.told, self.heard, self.is_quiet = None, None, False

    # The pipes.

    def _wait(self, fd, event, deadline=None):
        poll = select.poll()
        poll.register(fd, event)
        poll.register(self.stopped, select.POLLIN)
        ready = poll.poll(None if deadline is None else max(0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise DeadlineExceeded("the parent has not said hello in time")
        if any(at == self.stopped for at, _ in ready):
            raise BrokenPipeError

    def read(self, deadline=None):
        """Appends what has come to the buffer."""
        while True:
            try:
                data = os.read(self.read_fd, BATCH)
            except BlockingIOError:
                self._wait(self.read_fd, select.POLLIN, deadline)
                continue
            if not data:
                raise EOFError
            self.buffer += data
            return

    def write(self, data, deadline=None):
        data = memoryview(data)
        while data:
            try:
                data = data[os.write(self.write_fd, data):]
            except BlockingIOError:
                self._wait(self.write_fd, select.POLLOUT, deadline)

    def take(self, n, deadline):
        while len(self.buffer) < n:
            self.read(deadline)
        data = bytes(self.buffer[:n])
        del self.buffer[:n]
        return data

    def hello(self, ours, timeout):
        """Says hello, and returns what the parent's says."""
        deadline, nonce = time.monotonic() + timeout, os.urandom(16)
        hello = _pack({**ours, "pid": os.getpid(), "lang": "python", "max_message": self.max_message,
                       "features": FEATURES, "order": sys.byteorder, "nonce": nonce})
        for fd in (self.read_fd, self.write_fd):
            os.set_blocking(fd, False)
        try:
            self.write(MAGIC + struct.pack("<HHI", 1, 1, len(hello)) + hello, deadline)
            start = self.take(1, deadline)
            while MAGIC.startswith(start) and len(start) < 8:
                start += self.take(1, deadline)
            check(start == MAGIC, f"what the parent says begins with {start!r}, which is no hello: expected {MAGIC!r}")
            low, high, size = struct.unpack("<HHI", self.take(8, deadline))
            check(low <= high and size <= 16384, f"the parent's hello has versions {low} to {high} and {size} bytes")
            check(low <= 1 <= high, f"the parent speaks protocol versions {low} to {high}, this child 1 to 1")
            return _hello(self.take(size, deadline), nonce, ours)
        except (EOFError, ConnectionError) as e:
            if isinstance(e, Error):
                raise
            raise Down("the parent has ended the link before it had said hello") from None

    def run(self):
        threads = [threading.Thread(target=t, daemon=True) for t in (self._reader, self._writer)]
        for t in threads:
            t.start()
        threading.Thread(target=self._closer, args=threads, daemon=True).start()

    def _closer(self, *threads):
        for t in threads:
            t.join()
        for fd in (self.read_fd, self.write_fd, self.stopped):
            os.close(fd)
        self.peer.ended.set()

    def end(self, reason):
        """The link has ended."""
        with self.lock:
            if self.reason is not None:
                return
            self.reason = reason
            os.close(self.stop)
            for m in [m for q in self.queues for m in q] + list(self.long.values()):
                m.written.set()
            for s in [*self.streams.values(), *self.offers.values(), *self.pings.values()]:
                s.changed.notify_all()
            self.wake.notify_all()
            self.quiet.notify_all()
        self.peer._ended(reason)

    # Writing. What begins with an underscore is called with the lock.

    def _writer(self):
        done = []
        try:
            while not self.said_bye:
                with self.lock:
                    out, done = self._batch()
                    while not out and self.reason is None:
                        self.wake.wait()
                        out, done = self._batch()
                    if self.reason is not None:
                        break
                self.write(out)
                with self.lock:
                    for ok in done:
                        ok()
                    done = []
            if self.said_bye:
                self.end(_down("this side has closed the link", orderly=True))
        except OSError:
            pass  # the reader learns why
        finally:
            with self.lock:
                for ok in done:
                    if isinstance(ok.__self__, _Out):
                        ok.__self__.written.set()

    def _put(self, kind, ident=0, payload=b"", ok=None):
        """Has a small frame sent, ahead of messages."""
        self.control.append((_frame(kind, ident, payload), ok))
        self.wake.notify()

    def _send(self, m):
        self.queues[m.c].append(m)
        self.wake.notify()

    def _withdraw(self, m):
        """Takes back a message of which the last byte has not been sent."""
        if m.ident is None:
            self.queues[m.c].remove(m)
            return
        del self.long[m.c, m.ident]
        if m in self.ready:
            self.ready.remove(m)
        self._put(ABORT + m.c, m.ident)

    def _batch(self):
        """Returns what is to be written next, and what to call when it is written. Control goes first, short messages
        ahead of pieces, of which there is one after every 64 KiB of those."""
        out, done = bytearray(), []
        if self.pong is not None:
            out += _frame(PONG, self.pong)
            self.pong = None
        for c in range(3):
            if self.owed[c] >= WINDOW // 2:
                out += _frame(CREDIT + c, self.owed[c])
                self.allowed[c] += self.owed[c]
                self.owed[c] = 0
        for answer in self.answers.values():
            out += answer
        self.answers.clear()
        while self.control:
            frame, ok = self.control.popleft()
            out += frame
            if ok:
                done.append(ok)
        while len(out) < BATCH:
            alone = any(c == NOTIFICATION for c, _ in self.long)  # nothing of its class may pass a long one
            c = next((c for c in self.turns if self.queues[c] and self.credit[c] > 0
                      and not (c == NOTIFICATION and alone)), None)
            if self.ready and (c is None or self.ahead >= BATCH):
                self.ahead = 0
                self._piece(out, self.ready.popleft(), done)
            elif c is not None:
                self.turns.remove(c)
                self.turns.append(c)
                self._begin(out, self.queues[c].popleft(), done)
            else:
                break
        if not out and self.draining:
            self._idle(out)
        if not out and self.closing and not any(self.queues) and not self.long:
            out += _frame(BYE)
            self.said_bye = True
        return out, done

    def _begin(self, out, m, done):
        c, data = m.c, m.data
        self.begun += 1
        if len(data) <= FRAME:
            out += _frame(WHOLE + c, 0, data)
            m.gone = True
            done.append(m.finish)
            size = len(data)
        else:
            while (c, self.last_id) in self.long:
                self.last_id = (self.last_id + 1) & 0xffffffff
            m.ident, m.sent, size = self.last_id, HEAD, FRAME
            self.last_id = (self.last_id + 1) & 0xffffffff
            self.long[c, m.ident] = m
            out += _frame(FIRST + c, m.ident, _TOTAL.pack(len(data)) + data[:HEAD])
        self.credit[c] -= size + 32
        self.ahead += size

    def _piece(self, out, x, done):
        if isinstance(x, Stream):
            x._next(out, done)
            return
        part = x.data[x.sent:x.sent + FRAME]
        out += _frame(PIECE + x.c, x.ident, part)
        x.sent += len(part)
        if x.sent < len(x.data):
            self.ready.append(x)
        else:
            del self.long[x.c, x.ident]
            x.gone = True
            done.append(x.finish)

    def _idle(self, out):
        """Says that nothing is going on here, if that is so, behind all that was sent."""
        if any(self.queues) or self.long or self.streams or self.offers or self.unread or self.peer._busy():
            return
        if self.told != (self.received, self.begun):
            self.told = self.received, self.begun
            if self.knows("shutdown"):
                out += _frame(IDLE, self.received)
        if self.heard == self.begun & 0xffffffff or not self.knows("shutdown"):
            self.is_quiet = True
            self.quiet.notify_all()

    def knows(self, feature):
        return feature in self.peer.remote["features"]

    # Reading.

    def _reader(self):
        try:
            while True:
                at, buffer = 0, self.buffer
                while len(buffer) - at >= 8:
                    kind, zero, length, ident = _HEADER.unpack_from(buffer, at)
                    if kind < 0x80:  # those above need not be known
                        least, most = _LENGTHS.get(kind, (1, 0))
                        check(zero == 0 and least <= length <= most, f"a frame of kind {kind:#x} with {length} bytes")
                    if len(buffer) - at < 8 + length:
                        break
                    payload = bytes(buffer[at + 8:at + 8 + length])
                    at += 8 + length
                    if kind < 0x80:
                        self.frame(kind, ident, payload)
                    if kind == BYE:
                        return self.bye()
                del buffer[:at]
                self.read()
        except ProtocolError as e:
            self.end(e)
        except (EOFError, OSError):
            self.end(_down("the parent has ended, or closed its pipe"))
        except BaseException as e:  # also a lack of memory: nobody would read any more
            self.end(_down(f"the link was given up: {e!r}"))
            raise

    def bye(self):
        self.end(_down("the parent has closed the link", orderly=True))
        # What still comes means nothing. Both ends are closed when the reader and the writer have ended.

    def frame(self, kind, ident, payload):
        """Deals with a frame that has come."""
        c, step, message = kind & 3, kind & ~3, None
        with self.lock:
            if kind >= OPEN:
                self._stream_frame(kind, ident, payload)
            elif kind == PING:
                self.pong = ident
            elif kind == PONG:
                if ident in self.pings:
                    self.pings.pop(ident).changed.notify_all()
            elif kind == SHUTDOWN:
                self._drain()
            elif kind == IDLE:
                self.heard = ident
            elif kind == WHOLE + URGENT:
                message = c, payload, 0, 0
            elif step == WHOLE:
                self._begins(c, len(payload))
                self.received += 1
                message = c, payload, len(payload) + 32, 0
            elif step == FIRST:
                total = _TOTAL.unpack_from(payload)[0]
                check(FRAME < total <= self.max_message, f"a long message of {total} bytes: more than {FRAME} were "
                      f"expected, and at most {self.max_message}")
                check((c, ident) not in self.arriving, f"a long message {ident} within one of that number")
                self._begins(c, FRAME)
                self.arriving[c, ident] = _In(total, payload[8:])
                self.ungranted[c].append(ident)
                self._grant(c)
            elif step == PIECE:
                m = self.arriving.get((c, ident))
                check(m and m.granted, f"a piece of message {ident}, which has not begun or was not granted")
                check(len(m.data) + len(payload) <= m.total, f"more of message {ident} than its {m.total} bytes")
                m.data += payload
                if len(m.data) == m.total:
                    del self.arriving[c, ident]
                    self.received += 1
                    message = c, m.data, FRAME + 32, m.total - HEAD
            elif step == ABORT:
                m = self.arriving.pop((c, ident), None)
                check(m, f"an abort of message {ident}, which has not begun")
                self.received += 1
                if not m.granted:
                    self.ungranted[c].remove(ident)
                self._taken(c, FRAME + 32, m.total - HEAD if m.granted else 0)
            elif step == CREDIT:
                self.credit[c] += ident
                check(ident and self.credit[c] <= MOST_CREDIT, f"credit of {ident}, which makes {self.credit[c]}")
            elif step == GRANT:
                m = self.long.get((c, ident))
                if m and not m.granted:
                    m.granted = True
                    self.ready.append(m)
            self.wake.notify()
        if message:
            self.peer._received(*message)

    def _begins(self, c, size):
        check(size <= self.max_message, f"a message of {size} bytes, which is over the limit of {self.max_message}")
        check(self.allowed[c] > 0, "a message without credit")
        check(c != NOTIFICATION or not any(k == c for k, _ in self.arriving), "a notification within another")
        self.allowed[c] -= size + 32
        self.heard = None

    def _grant(self, c):
        """Lets long messages send their rests, in their order, and no more at a time than the largest may have."""
        while self.ungranted[c]:
            m = self.arriving[c, self.ungranted[c][0]]
            rest = m.total - HEAD
            if self.granted[c] and self.granted[c] + rest > self.max_message:
                break
            self.granted[c] += rest
            m.granted = True
            self._put(GRANT + c, self.ungranted[c].popleft())

    def _taken(self, c, cost, rest=0):
        """A message is no longer held."""
        self.owed[c] += cost
        self.granted[c] -= rest
        self._grant(c)
        self.wake.notify()

    def _drain(self):
        """Nothing is begun any more but what is needed for what is going on."""
        self.draining = True
        for s in self.backlog:
            self._refuse(s.ident, 4)
            del self.streams[s.mine, s.ident]
        self.backlog.clear()
        self.quiet.notify_all()

    # Streams.

    def _refuse(self, ident, code):
        self.answers[ident] = _frame(RESET + 1, ident, _U32.pack(code))

    def _stream_frame(self, kind, ident, payload):
        if kind == OPEN:
            return self._opened(ident, *_OPENING.unpack(payload))
        mine = kind & 1 == 1
        s, last = self.streams.get((mine, ident)), self.last_out if mine else self.last_in
        if s is None:  # it may have crossed our end, stop or reset
            check(last is not None and (last - ident) & 0xffffffff < 1 << 31, f"a frame of stream {ident}, not opened")
            return
        number, kind = _U32.unpack(payload)[0] if len(payload) == 4 else 0, kind if kind == ACCEPT else kind & ~1
        check(s.state == "open" or kind == RESET or kind == ACCEPT and s.state == "opening",
              f"a frame of kind {kind:#x} of stream {ident}, which is not accepted, or was before")
        if kind == ACCEPT:
            s.state, s.credit = "open", number
            check(number <= MOST_CREDIT, f"a window of {number}")
        elif kind == RESET:
            self.answers.pop(None if mine else ident, None)
            if s in self.backlog:
                self.backlog.remove(s)
            s._gone(StreamError({0: "the parent has reset the stream", 5: "the parent has closed the stream within "
                    "what it was writing"}.get(number, f"the parent has refused the stream: code {number} of a reset")),
                    keep=number == 5)
        elif kind == DATA:
            check(len(payload) <= s.allowed and not s.in_ended, f"data of stream {ident} without credit or after its end")
            s.allowed -= len(payload)
            if not s.closed:
                s.inbox.append(payload)
        elif kind == STREAM_CREDIT:
            s.credit += number
            check(number and s.credit <= MOST_CREDIT, f"stream credit of {number}, which makes {s.credit}")
        elif kind == END:
            check(not s.in_ended, f"a second end of stream {ident}")
            s.in_ended = True
        elif kind == STOP and not s.out_ended:
            s.stopped = True
            s._end()
        s._changed()

    def _opened(self, ident, window, name):
        check(window <= MOST_CREDIT, f"a window of {window}")
        check(self.last_in is None or 0 < (ident - self.last_in) & 0xffffffff < 1 << 31, f"an open of {ident}, again")
        check(len(self.backlog) + len(self.answers) < 256, "more than 256 opens without an answer")
        self.last_in, self.heard = ident, None
        self.received += 1
        s = self.offers.pop(name, None) if name else Stream(self, "waiting")
        if s is None or not name and (self.draining or len(self.backlog) >= BACKLOG):
            return self._refuse(ident, 3 if s is None else 4 if self.draining else 1)
        s.mine, s.ident, s.credit = False, ident, window
        self.streams[False, ident] = s
        if name:
            s._accept()
        else:
            self.backlog.append(s)
            self.quiet.notify_all()


class Stream:
    """A byte stream each way. timeout is how long read and write wait, in seconds; None is for ever."""

    def __init__(self, link, state, mine=False, ident=None):
        self.link, self.state, self.mine, self.ident, self.timeout = link, state, mine, ident, None
        self.changed = threading.Condition(link.lock)
        self.error = None  # why nothing comes or goes any more
        self.closed = False  # by this side
        self.inbox, self.allowed, self.owed, self.in_ended = collections.deque(), WINDOW, 0, False
        self.out, self.credit, self.is_ready, self.cut = None, 0, False, False  # out is what a write waits for
        self.out_ended = self.end_written = self.stopped = False

    def read(self, n=-1):
        """Returns up to n bytes as soon as there are some; all until the end if n is negative. b"" is the end."""
        if n < 0:
            return b"".join(iter(lambda: self.read(BATCH), b""))
        with self.link.lock:
            self._until(lambda: self.inbox or self.in_ended or self.error or self.closed)
            if self.closed:
                raise StreamError("this side has closed the stream")
            if not self.inbox:
                if self.in_ended:
                    return b""
                raise self.error
            data = self.inbox.popleft()
            if len(data) > n:
                self.inbox.appendleft(data[n:])
                data = data[:n]
            self.owed += len(data)
            if self.owed >= WINDOW // 2 and not self.in_ended and self.error is None:
                self.link._put(STREAM_CREDIT + (not self.mine), self.ident, _U32.pack(self.owed))
                self.allowed += self.owed
                self.owed = 0
            self._changed()
            return data

    def __iter__(self):
        return iter(lambda: self.read(BATCH), b"")

    def write(self, data):
        """Returns when all of it is with the system. If it fails, the stream can only be closed, and reads as cut."""
        data = memoryview(data).cast("B")
        with self.link.lock:
            self._until(lambda: self.out is None or self._why())
            if self._why():
                raise self._why()
            if data:
                self.out = data
                self._changed()
                try:
                    self._until(lambda: self.out is None or self._why())
                    if self.out is not None:
                        raise self._why()
                except BaseException:
                    self.out, self.cut = data[:0], True  # _next sends nothing more
                    raise
        return len(data)

    def close_write(self):
        """Nothing more follows from here. The other side reads what was written, and then the end. Reading goes on."""
        with self.link.lock:
            if self.error or self.out_ended:
                return
            if self.out is not None:
                return self._reset(5)
            if self.state == "offered":
                self.out_ended = True  # goes when it is opened
                return
            self._end()
            self.link.quiet.wait_for(lambda: self.end_written or self.link.reason)
            if not self.end_written:
                raise self.link.reason

    def close(self):
        """Ends both directions in order, or, of an offer that nobody has opened, takes it back."""
        with self.link.lock:
            if self.closed:
                return
            if self.state == "offered" or self.out is not None and not self.out_ended or self.error:
                return self._reset(5)
            self.closed = True
            self.inbox.clear()
            if not self.in_ended and not self.link.closing:
                self.link._put(STOP + (not self.mine), self.ident)
        self.close_write()

    def reset(self):
        """Ends the stream at once, and not in order: what has not been read is lost on both sides."""
        with self.link.lock:
            self._reset(0)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close() if kind is None else self.reset()

    # With the lock.

    def _until(self, ready):
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        while not ready() and self.link.reason is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise DeadlineExceeded("a stream took longer than its timeout")
            self.changed.wait(left)
        if not ready():
            raise self.link.reason

    def _why(self):
        """Why nothing can be written, if so."""
        if self.closed or self.out_ended and not self.stopped:
            return StreamError("this side has closed the stream")
        if self.cut:
            return StreamError("an earlier write to the stream has failed")
        return self.error or (StreamError("the parent reads the stream no more") if self.stopped else self.link.reason)

    def _changed(self):
        """What depends on the state of the stream."""
        if self.state == "open" and self.out and self.credit > 0 and not (
                self.is_ready or self.out_ended or self.link.closing):
            self.is_ready = True
            self.link.ready.append(self)
        if self.in_ended and self.out_ended and self.state == "open":
            self._gone(None, keep=True)
        if self.state == "dead" and (self.closed or not self.inbox):
            self.link.unread.discard(self)
        self.changed.notify_all()
        self.link.wake.notify()

    def _next(self, out, done):
        self.is_ready = False
        part = self.out[:min(FRAME, self.credit)] if self.out and self.state == "open" else b""
        if part:
            out += _frame(DATA + (not self.mine), self.ident, part)
            self.credit -= len(part)
            self.out = self.out[len(part):]
            if not self.out:
                done.append(self._written)
            self._changed()

    def _written(self):
        self.out = None
        self._changed()

    def _end(self):
        self.out_ended = True
        if not self.link.closing:  # or it would say that what was written is all there was
            self.link._put(END + (not self.mine), self.ident, ok=self._ended)
        self._changed()

    def _ended(self):
        self.end_written = True
        self.link.quiet.notify_all()

    def _accept(self):
        self.state = "open"
        self.link.answers[self.ident] = _frame(ACCEPT, self.ident, _U32.pack(WINDOW))
        if self.out_ended:
            self._end()
        self._changed()

    def _reset(self, code):
        """Ends the stream from this side."""
        state, self.closed = self.state, True
        if state in ("open", "opening") and self.link.reason is None:
            self.link._put(RESET + (not self.mine), self.ident, _U32.pack(code))
        for name in [name for name, s in self.link.offers.items() if s is self]:
            del self.link.offers[name]
        self._gone(StreamError("this side has closed the stream"))

    def _gone(self, error, keep=False):
        """The stream is forgotten."""
        self.state, self.error = "dead", self.error or error
        self.link.streams.pop((self.mine, self.ident), None)
        if not keep:
            self.inbox.clear()
            self.in_ended = False
        if self.inbox and not self.closed:
            self.link.unread.add(self)
        self._changed()


def _down(text, orderly=False):
    e = Down(text)
    e.orderly = orderly
    return e


# --- Messages -----------------------------------------------------------------------------------------------------

_local = threading.local()


def current():
    """The Call that this thread serves, or None."""
    return getattr(_local, "call", None)


class Call:
    """A call, or a notification, of the parent: its method, meta, and when it is to end."""

    def __init__(self, peer, msgid, method):
        self.peer, self.msgid, self.method = peer, msgid, method
        self.params, self.bad, self.size, self.outer = b"", None, 0, None
        self.meta, self.deadline = {}, None  # deadline is a time.monotonic()
        self.cancelled = threading.Event()  # set when the caller has given up, or the link has ended
        self.nested = set()  # calls made for it

    def remaining(self):
        """Seconds until the deadline, None if there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def check(self):
        """Raises Cancelled or DeadlineExceeded if nobody waits for the method any more."""
        if self.cancelled.is_set():
            raise Cancelled("the caller has given up")
        if self.deadline is not None and self.deadline <= time.monotonic():
            raise DeadlineExceeded("the caller's deadline is over")


class _Future(concurrent.futures.Future):
    """A call of ours."""

    def cancel(self):
        return self.cancelled() or super().cancel() and self.give_up()


class Peer:
    """The parent. Options: name and version of this application, needs (name, lowest and highest version) of the
    parent's, types for the listing of methods, the largest message taken, the most threads that serve calls, and how
    many seconds after the end of the link the process exits at the latest (None: never)."""

    def __init__(self, name="", version="", needs=("", "", ""), types=(), max_message=64 << 20, threads=1024,
                 exit_after=1.0):
        self.hello = {"name": name, "version": version, "needs": list(needs)}
        self.types, self.max_message, self.threads, self.exit_after = list(types), max_message, threads, exit_after
        self.methods, self.about = {}, []
        self.remote = None  # what the parent's hello says
        self.link, self.ended, self.closed = None, threading.Event(), False
        self.lock = threading.Lock()  # guards what follows, and all of the link
        self.pending, self.last_id = {}, -1  # our calls, by msgid
        self.serving = {}  # Calls that were not answered, by msgid
        self.work = threading.Condition(self.lock)  # idle threads wait here for jobs
        self.jobs, self.idle, self.running, self.places = collections.deque(), 0, 0, 0  # places: calls but nested ones
        self.served = 0  # bytes of the calls that have a thread, or are to have one
        self.waiting, self.held_waiting = collections.deque(), 0  # calls that wait for a place, and their bytes
        self.ordered = threading.Condition(self.lock)  # the thread for notifications waits here
        self.notifications, self.held, self.notifying = collections.deque(), 0, False
        self.method("$/methods")(lambda *_: {"methods": sorted(self.about, key=lambda m: m["name"]), "types": self.types})

    def method(self, name=None, arg=None, reply=None):
        """A decorator: the function serves calls, and notifications, of this name. arg and reply are the types that
        the listing shows; its annotations are the default."""
        def decorate(f):
            called, params = name or f.__name__, list(inspect.signature(f).parameters.values())
            slots = [p for p in params if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            takes_one = bool(slots) or any(p.kind == p.VAR_POSITIONAL for p in params)
            self.methods[called] = f, takes_one
            if not called.startswith("$/"):
                types = arg or _type_name(slots[0].annotation if slots else None)
                self.about.append({"name": called, "arg": types, "doc": inspect.getdoc(f) or "",
                                   "reply": reply or _type_name(getattr(f, "__annotations__", {}).get("return"))})
            return f
        return decorate

    def connect(self, timeout=10):
        """Says hello to the parent. Methods are registered before: a call may come at once."""
        global _claimed
        if isinstance(_claimed, Exception):
            raise _claimed
        fds, _claimed = _claimed, NotAChild("this program is connected already")
        link = _Link(fds, self)
        self.remote = link.hello(self.hello, timeout)
        self.link = link
        if threading.current_thread() is threading.main_thread():
            for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
                if signal.getsignal(number) is default:  # the parent, which gets them too, ends this child in order
                    signal.signal(number, lambda *_: None)
        threading.Thread(target=self._serve_notifications, daemon=True).start()
        link.run()
        return self

    # Calls out.

    def call(self, method, *params, timeout=None, meta=None):
        """Calls a method of the parent and returns its result. timeout is in seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        future = self.submit(method, *params, timeout=timeout, meta=meta)
        outer = future.outer and future.outer.deadline
        end = min((t for t in (end, outer) if t is not None), default=None)
        try:
            return future.result(None if end is None else max(0, end - time.monotonic()))
        except MethodError as e:
            if end is None or not {"context.DeadlineExceeded", "viaduct.ErrTooLate"}.intersection(e.names):
                raise
            late = DeadlineExceeded(f"{method}: {e}")  # the parent's clock was faster
            late.not_begun = e.not_begun
            raise late from e
        except concurrent.futures.CancelledError:
            error = Cancelled(f"{method} was cancelled")
        except concurrent.futures.TimeoutError:  # a DeadlineExceeded is one, too, on newer versions
            if future.done() and not future.cancelled():
                return future.result()
            future.cancel()
            error = DeadlineExceeded(f"{method} has taken longer than its deadline")
        error.not_begun = not future.message.gone
        raise error

    def submit(self, method, *params, timeout=None, meta=None):
        """Begins a call and returns its future. timeout only tells the parent how long this side is going to wait.
        What a callback of the future does must not block: it runs in the thread that reads."""
        outer = current() if current() and current().peer is self and current().msgid is not None else None
        left = [t for t in (timeout, outer and outer.remaining()) if t is not None]
        info = {"timeout": max(1, int(min(left) * 1e9))} if left else {}
        if outer:
            info["within"] = outer.msgid
        call = self._encode(CALL, method, params, info, meta)
        future = _Future()
        with self.lock:
            self._may_begin(current())
            if outer and outer.cancelled.is_set():
                raise Cancelled("the caller has given up what this call is for")
            self.last_id = (self.last_id + 1) & 0xffffffff
            while self.last_id in self.pending:
                self.last_id = (self.last_id + 1) & 0xffffffff
            msgid = self.last_id
            call[3:7] = _id(msgid)
            future.message, future.outer, future.served = _Out(CALL, call), outer, 0
            future.give_up = lambda: self._give_up(msgid, future)
            self.pending[msgid] = future
            if outer:
                outer.nested.add(future)
            self.link._send(future.message)
        return future

    def notify(self, method, *params, meta=None, timeout=None):
        """Calls one way. Returns when all of it is with the system: it arrives although this process ends right then."""
        m = _Out(NOTIFICATION, self._encode(NOTIFICATION, method, params, {}, meta))
        with self.lock:
            self._may_begin(current())
            self.link._send(m)
        if not m.written.wait(timeout):
            with self.lock:
                if not m.gone and self.link.reason is None:
                    self.link._withdraw(m)
                    error = DeadlineExceeded(f"{method} could not be sent in time")
                    error.not_begun = True
                    raise error
            m.written.wait()
        if not m.ok:
            raise self._link_down(m.gone)

    def sync(self, timeout=None):
        """Returns when the parent has handled all notifications that were sent before."""
        if "sync" not in self.remote["features"]:
            raise NotSent("the parent does not know sync")
        self.call("$/sync", timeout=timeout)

    def _encode(self, c, method, params, info, meta):
        if self.link is None:
            raise NotSent("not connected: call connect first")
        head = b"\x00\xce" + _id(0) if c == CALL else b"\x02"
        info = {**info, **({"meta": dict(meta)} if meta else {})} if self.link.knows("calls") else {}
        try:
            count = (4 if c == CALL else 3) + (1 if info else 0)
            data = bytearray().join([bytes([0x90 + count]), head, _pack(method), _pack(params)])
            if info:
                info = _pack({**info, "size": 0xffffffff})
                data += info[:-4] + _id(len(info))
        except (TypeError, ValueError, OverflowError, RecursionError) as e:
            raise NotSent(f"{method}: its arguments cannot be encoded: {e}") from e
        if len(data) > self.remote["max_message"]:
            raise NotSent(f"{method}: a message of {len(data)} bytes; the parent takes {self.remote['max_message']}")
        return data

    def _may_begin(self, outer):
        if self.link.reason is not None:
            raise self._link_down(False)
        serves = outer and outer.peer is self and (outer.msgid is None or self.serving.get(outer.msgid) is outer)
        if self.link.closing or self.link.draining and not serves:
            raise NotSent("the link is shutting down")

    def _link_down(self, gone):
        reason = self.link.reason
        e = type(reason)(str(reason))
        e.orderly, e.not_begun = reason.orderly, not gone
        return e

    def _give_up(self, msgid, future):
        with self.lock:
            if self.pending.get(msgid) is future and self.link.reason is None:
                if future.message.gone:  # the answer is still to come
                    self.link._put(WHOLE + URGENT, 0, b"\x93\x02\xa8$/cancel\x91\xce" + _id(msgid))
                else:
                    del self.pending[msgid]
                    self.link._withdraw(future.message)
        return True

    # What comes in. It is called by the reader, without the lock.

    def _received(self, c, data, cost, rest):
        data = memoryview(data)
        try:
            count, i = _array(data)
            kind, i = _item(data, i, int)
            check(kind == min(c, 2) and count in ((4, 5), (4,), (3, 4), (3, 4))[c],
                  f"a message of type {kind} with {count} elements in class {c}")
            if c in (CALL, REPLY):
                msgid, i = _item(data, i, int)
                check(0 <= msgid <= 0xffffffff, f"a msgid of {msgid}")
            else:
                msgid = None
            if c == REPLY:
                j = _skip(data, i)
            else:
                method, i = _item(data, i, str)
        except ProtocolError:
            raise
        except ValueError as e:
            raise ProtocolError(f"a malformed message in class {c}: {e}") from None
        if c == REPLY:
            return self._replied(msgid, data, i, j, cost, rest)
        if c == URGENT:
            return self._cancel(method, data[i:])
        call = Call(self, msgid, method)
        call.size = len(data)
        within = None
        try:
            j = _skip(data, i, MAX_DEPTH + 1)
            if count == (5 if c == CALL else 4):
                within = _info(call, _unpack(data[j:]), len(data) - j)
            else:
                check(j == len(data), "something behind them")
            call.params = data[i:j]
        except (ValueError, ProtocolError) as e:
            call.bad = f"params that cannot be decoded: {e}"
        with self.lock:
            if c == NOTIFICATION:
                self._order(call, cost, rest)
            else:
                self._admit(call, within, cost, rest)

    def _replied(self, msgid, data, i, j, cost, rest):
        with self.lock:
            self.link._taken(REPLY, cost, rest)
            future = self.pending.pop(msgid, None)
            if future and future.outer:
                future.outer.nested.discard(future)
        if future and future.set_running_or_notify_cancel():  # else nobody waits for it any more
            try:
                error = _unpack(data[i:j])
                if error is not None:
                    future.set_exception(_method_error(error))
                else:
                    future.set_result(_unpack(data[j:]))
            except Exception as e:
                future.set_exception(Error(f"the result cannot be decoded: {e!r}"))

    def _cancel(self, method, params):
        try:
            msgid = _unpack(params)[0]
            check(method == "$/cancel" and type(msgid) is int, "a message in class urgent that is no cancel")
        except (ValueError, TypeError, IndexError, KeyError) as e:
            raise ProtocolError(f"a cancel without a msgid: {e!r}") from None
        call = self.serving.get(msgid)
        if call:  # it is answered at once, although the method may go on for a while
            self._answer(call, _Own("cancelled", names=["context.Canceled"]))
            self._stop(call)

    def _stop(self, call):
        call.cancelled.set()
        with self.lock:
            nested = list(call.nested)
        for future in nested:
            future.cancel()

    def _order(self, call, cost, rest):
        """Queues a notification."""
        early = self.held + call.size <= QUEUE
        if early:
            self.link._taken(NOTIFICATION, cost, rest)
        self.held += call.size
        self.notifications.append((call, None if early else (cost, rest)))
        self.ordered.notify()

    def _admit(self, call, within, cost, rest):
        """Gives a call to a thread, or has it wait for one, or refuses it."""
        outer = self.pending.get(within)
        if outer and outer.served < 16:  # it must not wait for others: they may wait for it
            outer.served += 1
            call.outer = outer
        full = self.places and not call.outer and (
            self.places >= self.threads or self.served + call.size > MAX_SERVED)
        stuck = len(self.pending) >= self.places  # all may wait for calls that wait for this one
        if full and (stuck or len(self.waiting) >= MAX_WAITING or self.held_waiting + call.size > QUEUE):
            error = _Own("too many calls are being served", names=["viaduct.ErrOverload"])
            self.serving[call.msgid] = call
            return self._answer_locked(call, self._failed(call, error), lambda: self.link._taken(CALL, cost, rest))
        self.link._taken(CALL, cost, rest)
        self.serving[call.msgid] = call
        if call.method == "$/sync":
            self.notifications.append((call, None))
            self.ordered.notify()
            return
        if full:
            self.waiting.append(call)
            self.held_waiting += call.size
            return
        self.places += not call.outer
        self.served += call.size
        self.jobs.append(call)
        if self.idle >= len(self.jobs):
            self.work.notify()
        else:
            threading.Thread(target=self._worker, daemon=True).start()

    def _worker(self):
        while True:
            with self.lock:
                self.idle += 1
                self.work.wait_for(lambda: self.jobs, 10)
                self.idle -= 1
                if not self.jobs:
                    return
                call = self.jobs.popleft()
                open_ = self.serving.get(call.msgid) is call
                self.running += 1
            if open_:
                try:
                    call.check()
                    result = self._invoke(call)
                except DeadlineExceeded as e:
                    result = e if current() else _Own(str(e), names=["viaduct.ErrTooLate"])
                except BaseException as e:
                    result = e
                _local.call = None
                sent = self._answer(call, result)
                if sent:
                    sent.written.wait()  # so that answers which nobody reads do not pile up
            with self.lock:
                self.running -= 1
                self.served -= call.size
                if call.outer:
                    call.outer.served -= 1
                elif self.waiting:  # for the place of this one
                    self.jobs.append(self.waiting.popleft())
                    self.held_waiting -= self.jobs[-1].size
                    self.served += self.jobs[-1].size
                    self.work.notify()
                else:
                    self.places -= 1
                if self.link.reason:
                    self.work.notify_all()

    def _serve_notifications(self):
        while True:
            with self.lock:
                self.notifying = False
                self.link.wake.notify()
                if self.link.reason:
                    self.work.notify_all()
                self.ordered.wait_for(lambda: self.notifications or self.link.reason)
                if not self.notifications:
                    return
                call, taken = self.notifications.popleft()
                self.notifying = True
                if call.msgid is None:
                    self.held -= call.size
                    if taken:
                        self.link._taken(NOTIFICATION, *taken)
            if call.msgid is not None:
                self._answer(call, None)
                continue
            try:
                self._invoke(call)
            except BaseException as e:
                self.failed(call, e)
            _local.call = None

    def failed(self, call, error):
        """A notification has failed, and nobody else is told. To be replaced."""
        print(f"viaduct: the notification {call.method} has failed:", file=sys.stderr)
        traceback.print_exception(type(error), error, error.__traceback__)

    def _invoke(self, call):
        if call.bad:
            raise _Own(call.bad, not_begun=True)
        if call.method not in self.methods:
            raise _Own(f"there is no method {call.method[:400]}", not_begun=True)
        f, takes_one = self.methods[call.method]
        try:
            params = _unpack(call.params, MAX_DEPTH + 1)
            if not isinstance(params, list):
                raise ValueError("they are no array")
        except Exception as e:
            raise _Own(f"params that cannot be decoded: {e}", not_begun=True) from None
        if takes_one and not params:
            params = [None]
        elif not takes_one and params == [None]:
            params = []
        _local.call = call
        return f(*params)

    def _answer(self, call, result):
        if isinstance(result, BaseException):
            data = self._failed(call, result)
        else:
            try:
                data = b"\x94\x01\xce" + _id(call.msgid) + b"\xc0" + _pack(result)
            except Exception as e:
                data = self._failed(call, MethodError(f"the result of {call.method} cannot be encoded: {e}"))
        most = self.remote["max_message"]
        if len(data) > most:
            data = self._failed(call, MethodError(f"the answer has {len(data)} bytes; the parent takes {most}"))
        with self.lock:
            return self._answer_locked(call, data)

    def _answer_locked(self, call, data, then=None):
        if self.serving.get(call.msgid) is not call or self.link.reason is not None:
            return None  # it has been answered
        del self.serving[call.msgid]
        m = _Out(REPLY, data, then)
        self.link._send(m)
        return m

    def _failed(self, call, e):
        """A response that says what went wrong."""
        text, parts = str(e) or repr(e), {}
        if isinstance(e, MethodError):
            text, own = e.text, isinstance(e, _Own)
            names = [n for n in e.names if own or not n.startswith("viaduct.")]  # which are about another call
            names += ["viaduct.ErrNotBegun"] if own and e.not_begun else []
            parts = {**({"is": names} if names else {}),
                     **({"error": [e.code or 0, e.text, e.data]} if e.code is not None or e.data is not None else {})}
        elif isinstance(e, (DeadlineExceeded, Cancelled)):
            parts = {"is": ["context.DeadlineExceeded" if isinstance(e, DeadlineExceeded) else "context.Canceled"]}
        text = text or "unknown error"
        try:
            error = _pack({"text": text, **parts} if parts and self.link.knows("calls") else text)
        except Exception as e2:
            error = _pack(f"{text} (its data cannot be sent: {e2})")
        return b"\x94\x01\xce" + _id(call.msgid) + error + b"\xc0"

    def _busy(self):
        return self.pending or self.serving or self.notifications or self.notifying

    # Streams.

    def open(self, name=None, timeout=None):
        """Opens a stream, or the one that the parent has offered by this name. Returns when it is accepted."""
        with self.lock:
            link = self.link
            if not link.knows("streams"):
                raise NotSent("the parent does not know streams")
            if link.reason is not None or link.closing or link.draining and not name:
                raise self._link_down(False) if link.reason else NotSent("the link is shutting down")
            if sum(s.state == "opening" for s in link.streams.values()) >= 256:
                raise StreamError("256 streams wait to be accepted")
            link.last_out = 0 if link.last_out is None else (link.last_out + 1) & 0xffffffff
            s = link.streams[True, link.last_out] = Stream(link, "opening", True, link.last_out)
            link.begun += 1
            link._put(OPEN, s.ident, _OPENING.pack(WINDOW, name or 0))
            s.timeout = timeout
            try:
                s._until(lambda: s.state != "opening")
            except BaseException:
                s._reset(0)
                raise
            s.timeout = None
            if s.error:
                raise s.error
            return s

    def accept(self, timeout=None):
        """Returns the next stream that the parent opens."""
        with self.lock:
            link = self.link
            if not link.quiet.wait_for(lambda: link.backlog or link.draining or link.reason, timeout):
                raise DeadlineExceeded("no stream has come in time")
            if not link.backlog:
                raise link.reason or NotSent("the link is shutting down")
            s = link.backlog.popleft()
            s._accept()
            return s

    def offer(self):
        """Returns a name, to be sent in a message, and the stream that the parent gets when it opens it by that."""
        with self.lock:
            if not self.link.knows("streams"):
                raise NotSent("the parent does not know streams")
            name = int.from_bytes(os.urandom(4), "little")
            while name == 0 or name in self.link.offers:
                name = int.from_bytes(os.urandom(4), "little")
            s = self.link.offers[name] = Stream(self.link, "offered")
            return name, s

    # The end.

    def ping(self, timeout=None):
        """Returns how long the parent takes to answer, in seconds. It does so whatever its methods do."""
        begin = time.monotonic()
        with self.lock:
            self._may_begin(None) if not self.link.draining else None
            ping, ident = _Ping(self.lock), int.from_bytes(os.urandom(4), "little")
            self.link.pings[ident] = ping
            self.link._put(PING, ident)
            answered = ping.changed.wait_for(lambda: ident not in self.link.pings or self.link.reason, timeout)
            if self.link.pings.pop(ident, None) and self.link.reason:
                raise self.link.reason
            if not answered:
                raise DeadlineExceeded("the parent has not answered a ping in time")
        return time.monotonic() - begin

    def shutdown(self, timeout=30):
        """Ends the link when nothing is going on any more on either side: nothing is lost. Not for use in a method,
        which it would wait for. After the timeout the link ends all the same, and DeadlineExceeded says so."""
        with self.lock:
            link = self.link
            if not link.shutting and link.reason is None and link.knows("shutdown"):
                link._put(SHUTDOWN)
            link.shutting = True
            link._drain()
            link.wake.notify()
            link.quiet.wait_for(lambda: link.is_quiet or link.reason, timeout)
            in_order = link.is_quiet or link.reason and link.reason.orderly
        self.close()
        if not in_order:
            raise link.reason if not link.reason.orderly else DeadlineExceeded("something was still going on")

    def close(self):
        """Ends the link at once. What was accepted for sending goes out before, for which it takes a second at most."""
        self.closed, link = True, self.link
        if link is None:
            return
        with self.lock:
            link.closing = True
            link.ready = collections.deque(x for x in link.ready if not isinstance(x, Stream))
            link.wake.notify()
            link.quiet.wait_for(lambda: link.reason, 1)
        link.end(_down("this side has closed the link, and not all was sent"))

    def up(self):
        """Whether the link has not ended."""
        return self.link is not None and self.link.reason is None

    def wait(self):
        """Waits for the end of the link, and then, for half a second, until methods that run have ended and what has
        come is handled. Returns None if the end was orderly, and otherwise why the link has ended."""
        self.ended.wait()
        with self.lock:
            self.work.wait_for(lambda: not (self.running or self.notifications or self.notifying), 0.5)
        return None if self.link.reason.orderly else self.link.reason

    def _ended(self, reason):
        """The link has ended: fails what waits for it."""
        with self.lock:
            pending, self.pending = self.pending, {}
            self.ordered.notify()
            serving = list(self.serving.values())
        for future in pending.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(self._link_down(future.message.gone))
        for call in serving:
            self._stop(call)
        stays = self.exit_after is None or self.closed or "detach" in self.remote["features"]
        if not stays:  # the program is to end by itself: if it does not, it is ended
            exit_ = threading.Timer(self.exit_after, os._exit, [0])
            exit_.daemon = True
            exit_.start()


class _Ping:
    def __init__(self, lock):
        self.changed = threading.Condition(lock)


def _id(n):
    return struct.pack(">I", n)


def _array(b):
    """The number of elements of the array b, and where they begin."""
    if b[0] & 0xf0 == 0x90:
        return b[0] & 15, 1
    width = {0xdc: 2, 0xdd: 4}.get(b[0])
    if width is None or len(b) < 1 + width:
        raise ValueError("no array")
    return int.from_bytes(b[1:1 + width], "big"), 1 + width


def _item(b, i, kind):
    j = _skip(b, i, 16)
    value = msgpack.unpackb(b[i:j], strict_map_key=False, **STRINGS)
    if type(value) is not kind:
        raise ValueError(f"{type(value).__name__} where {kind.__name__} was expected")
    return value, j


def _info(call, info, size):
    """Takes what goes with a call from the map behind its params. Returns the call of ours that it serves."""
    kinds = {"timeout": int, "within": int, "meta": dict, "size": int}
    if size > 16384 or not isinstance(info, dict) or any(type(info[k]) is not t for k, t in kinds.items() if k in info):
        raise ValueError("what goes with the call is no such map")
    call.meta = info.get("meta", {})
    if "timeout" in info and call.msgid is not None:
        call.deadline = time.monotonic() + info["timeout"] / 1e9
    return info.get("within")


def _method_error(e):
    if not isinstance(e, dict) or not isinstance(e.get("text"), str):
        text = e.decode(errors="replace") if isinstance(e, bytes) else e if isinstance(e, str) else repr(e)
        return MethodError(text or "unknown error")
    names = [n for n in e["is"] if isinstance(n, str)] if isinstance(e.get("is"), list) else []
    parts = e.get("error") if isinstance(e.get("error"), list) and len(e["error"]) >= 3 else [None, "", None]
    body = e.get("body") if isinstance(e.get("body"), list) else []
    kind = Overload if "viaduct.ErrOverload" in names else MethodError
    early = {"viaduct.ErrNotBegun", "viaduct.ErrOverload", "viaduct.ErrTooLate"}.intersection(names) or body[:2] == [
        "decode", "arguments"]
    return kind(e["text"], parts[0], parts[2], names, e.get("panic"), bool(early))


def _type_name(annotation):
    """The name that PROTOCOL.md's section Listing has for a type."""
    names = {str: "string", bytes: "bytes", bool: "bool", int: "int64", float: "float64", list: "list"}
    return annotation if isinstance(annotation, str) else names.get(annotation, "any")
