"""A child of a viaduct parent, as an example: go run ./examples/polyglot starts it, and calls what is here."""
import concurrent.futures
import sys

import viaduct

peer = viaduct.Peer(types=[{"name": "Division", "fields": [{"name": name, "type": "float64"} for name in "AB"]}])


@peer.method("Child.Greet")
def greet(name: str) -> str:
    return f"hello, {name}, from {sys.argv[1]}"


@peer.method("Child.Divide", arg="Division")
def divide(numbers) -> float:
    """Divides A by B."""
    return numbers["A"] / numbers["B"]


@peer.method("Child.Echo")
def echo(data: bytes) -> bytes:
    return data


@peer.method("Child.Relay")
def relay(data: bytes) -> bytes:
    return peer.call("Parent.Echo", data)  # before it returns, it calls the parent


@peer.method("Child.Tell")
def tell(word: str):
    peer.notify("Parent.Tell", word.upper())  # it is called one way, and so calls the parent


@peer.method("Child.Wait")
def wait(_):
    """Returns only when it is cancelled."""
    peer.notify("Parent.Tell", "waiting")
    viaduct.current().cancelled.wait()
    if peer.up():
        peer.notify("Parent.Tell", "stopped")


@peer.method("Child.Hurry")
def hurry(_) -> str:
    """Calls the parent, and cancels the call when it has taken 0.1 s."""
    call = peer.submit("Parent.Wait", None)
    try:
        return call.result(0.1)
    except concurrent.futures.TimeoutError:
        call.cancel()
        return "gave up"


@peer.method("Child.Leave")
def leave(_):
    peer.close()


if __name__ == "__main__":
    try:
        peer.connect()
    except viaduct.NotAChild as e:
        sys.exit(f"{e}; go run ./examples/polyglot starts it")
    error = peer.wait()
    if isinstance(error, viaduct.ProtocolError):
        sys.exit(f"the link was ended: {error}")
