"""The child of the tests in examples/polyglot*_test.go; there is one in each language. It tries all of viaduct.py."""
import concurrent.futures
import os
import sys
import threading
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import viaduct  # noqa: E402

limits = {"threads": int(sys.argv[1])} if len(sys.argv) > 1 else {}
peer = viaduct.Peer(name="test", version="1.2", max_message=32 << 20, **limits)
notes = []
cut = []


def describe(e):
    """What a caller sees of an error."""
    return {"kind": type(e).__name__, "text": str(e), "notBegun": e.not_begun, "code": getattr(e, "code", None),
            "data": getattr(e, "data", None), "names": list(getattr(e, "names", ()))}


@peer.method("T.Echo")
def echo(value):
    return value


@peer.method("T.Relay")
def relay(value):
    return peer.call("P.Echo", value)


@peer.method("T.Nest")
def nest(n):
    return 1 + peer.call("P.Nest", {"N": n - 1}) if n else 0


@peer.method("T.Note")
def note(n):
    notes.append(n)


@peer.method("T.Notes")
def all_notes():
    return notes


@peer.method("T.Tell")
def tell(n):
    for i in range(n):
        peer.notify("P.Note", i)
    peer.sync()


@peer.method("T.Fetch")
def fetch(n):
    """Echoes n bytes by way of the parent, and returns their checksum."""
    data = os.urandom(n)
    return peer.call("P.Echo", data) == data


@peer.method("T.Wait")
def wait():
    peer.notify("P.Event", "waiting")
    viaduct.current().cancelled.wait()
    peer.notify("P.Event", "cancelled")


@peer.method("T.About")
def about():
    """What the method knows of its call."""
    return {"left": viaduct.current().remaining(), "meta": viaduct.current().meta}


@peer.method("T.Try")
def try_(what):
    """What calls of the parent fail with."""
    calls = {
        "fail": lambda: peer.call("P.Fail", None),
        "none": lambda: peer.call("P.Nothing", None),
        "late": lambda: peer.call("P.Hold", None, timeout=0.05),
        "large": lambda: peer.call("P.Echo", bytes(65 << 20)),
        "unencodable": lambda: peer.call("P.Echo", object()),
    }
    try:
        return calls[what]()
    except viaduct.Error as e:
        return describe(e)


@peer.method("T.Flood")
def flood():
    """Is called one way: its calls are not nested, and the parent refuses some."""
    for call in concurrent.futures.as_completed([peer.submit("P.Hold", None) for _ in range(9)]):
        e = call.exception()
        peer.notify("P.Event", f"{type(e).__name__} {e.not_begun}".lower())
        break


@peer.method("T.Fail")
def fail(failing):
    kind = failing["How"]
    if kind == "typed":
        raise viaduct.MethodError("bad", code=-7, data={"a": [1, "two"]}, names=["io.EOF", "viaduct.ErrOverload"])
    if kind == "passed":
        peer.call("P.Nothing", None)
    if kind == "result":
        return object()
    if kind == "large":
        return bytes(65 << 20)
    raise ValueError("plain")


@peer.method("T.Hold")
def hold(value):
    return peer.call("P.Hold", value)


@peer.method("T.Doomed")
def doomed():
    """Says what a call ends with when the link does."""
    try:
        peer.call("P.Hold", None)
    except viaduct.Error as e:
        print("ended:", type(e).__name__, str(e.not_begun).lower(), file=sys.stderr)


@peer.method("T.Leave")
def leave():
    peer.close()


@peer.method("T.Noise")
def noise():
    print("x" * 10_000)
    sys.stdout.flush()
    os.write(1, b"noise\n")


@peer.method("T.Ping")
def ping():
    return peer.ping(timeout=60) >= 0


# Streams.

def serve_streams():
    """Sends back what comes on the streams that the parent opens."""
    def serve(stream):
        try:
            with stream:
                for chunk in stream:
                    stream.write(chunk)
        except viaduct.Error:
            pass
    while True:
        try:
            stream = peer.accept()
        except viaduct.Error:
            return
        threading.Thread(target=serve, args=[stream], daemon=True).start()


def pattern(n):
    return bytes(range(251)) * (n // 251) + bytes(range(n % 251))


@peer.method("T.Open")
def open_(n):
    """Opens a stream, sends n bytes while it reads them back, and returns the checksum of what came."""
    stream = peer.open()

    def send():
        stream.write(pattern(n))
        stream.close_write()
    sender = threading.Thread(target=send)
    sender.start()
    crc = 0
    for chunk in stream:
        crc = zlib.crc32(chunk, crc)
    sender.join()
    stream.close()
    return crc


@peer.method("T.Read")
def read(name):
    """Reads the stream that the parent has offered, and says how many bytes came and what then."""
    stream, n = peer.open(name), 0
    peer.notify("P.Event", "opened")
    try:
        for chunk in stream:
            n += len(chunk)
    except viaduct.Error as e:
        print("read:", type(e).__name__, file=sys.stderr)
        return [n, type(e).__name__]
    stream.close()
    return [n, "end"]


@peer.method("T.Write")
def write(name):
    """Writes to what the parent has offered until that fails."""
    stream, n = peer.open(name), 0
    try:
        while True:
            n += stream.write(bytes(1000))
    except viaduct.Error as e:
        stream.close()
        return [n, type(e).__name__]


@peer.method("T.Offer")
def offer(how):
    """Offers a stream with a megabyte, and ends it in this way."""
    name, stream = peer.offer()

    def send():
        if how == "empty":
            stream.close_write()
        elif how == "end":
            stream.write(pattern(1 << 20))
            stream.close()
        elif how == "reset":
            stream.write(pattern(100_000))
            stream.reset()
        elif how == "die":
            stream.write(pattern(100_000))
            os._exit(3)
        elif how == "cut":  # it is closed while a write waits
            writer = threading.Thread(target=cut_write, args=[stream])
            writer.start()
            cut.append((stream, writer))
        elif how == "leave":
            stream.write(pattern(100_000))
            peer.close()
    threading.Thread(target=send, daemon=True).start()
    return name


def cut_write(stream):
    try:
        stream.write(pattern(10 << 20))
    except viaduct.Error:
        return
    print("a write that was cut has succeeded", file=sys.stderr)


@peer.method("T.Cut")
def cut_now():
    stream, writer = cut.pop()
    stream.close()
    writer.join()


@peer.method("T.TakeBack")
def take_back():
    name, stream = peer.offer()
    stream.close()
    return name


@peer.method("T.Refused")
def refused(name):
    try:
        peer.open(name)
    except viaduct.Error as e:
        return describe(e)


@peer.method("T.Unanswered")
def unanswered():
    """Opens a stream that nobody accepts."""
    try:
        peer.open(timeout=0.05)
    except viaduct.Error as e:
        return describe(e)


# The end.

@peer.method("T.Shutdown")
def shutdown():
    """Ends the link, but not from a method, which it would wait for."""
    def end():
        try:
            peer.shutdown(timeout=60)
        except viaduct.Error as e:
            print("shutdown:", e, file=sys.stderr)
    threading.Thread(target=end).start()


peer.connect()
threading.Thread(target=serve_streams, daemon=True).start()
error = peer.wait()
if isinstance(error, viaduct.ProtocolError):
    sys.exit(f"the link was ended: {error}")
