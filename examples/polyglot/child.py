#!/usr/bin/python3
"""A child of a viaduct parent, in Python 3.8 or later, with the package msgpack (Debian: python3-msgpack).

Peer, and Link in frames.py, are PROTOCOL.md for asyncio, to be copied. Child is an example of a service.
"""
import asyncio
import itertools
import logging
import os
import re
import stat
import sys

import msgpack

from frames import CALL, ONEWAY, REPLY, URGENT, WHOLE, Link, check
from listing import listing

STRINGS = {"unicode_errors": "surrogateescape"}  # a string of Go need not be UTF-8


def inherited():
    """Takes the two words that tell a child of its link out of sys.argv. Returns None if this is no child."""
    for i in range(1, len(sys.argv) - 1):
        version, place = sys.argv[i:i + 2]
        if re.fullmatch(r"viaduct\.[0-9]+", version) and re.match("[a-z]+:", place):
            del sys.argv[i:i + 2]
            match = re.fullmatch("fd:([1-9][0-9]*),([1-9][0-9]*)(?:,([1-9][0-9]*))?", place)
            check(version == "viaduct.1" and match, f"cannot use {version} {place}")
            fds = [int(n) for n in match.groups() if n]  # a third one is for the crashes of Go programs
            check(min(fds) > 2 and len(set(fds)) == len(fds), f"cannot use {place}")
            check(all(stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in fds), f"{place} are not pipes")
            for fd in fds:
                os.set_inheritable(fd, False)  # programs that we start do not get them
            return fds[:2]
    return None


class RemoteError(Exception):
    """What a method of the parent failed with."""


class Peer:
    """Calls the parent and is called by it, in one thread: what computes for long belongs in asyncio.to_thread."""

    def __init__(self, methods, types=()):
        """methods are coroutine functions, by name. When the parent cancels a call, its task is cancelled."""
        self.methods = {**methods, "$/methods": listing(methods, types)}
        self.link = Link(self.received)
        self.pending = {}  # futures of our calls, by msgid
        self.serving = {}  # tasks of the parent's calls, by msgid
        self.oneways = asyncio.Queue()  # the parent's one-way calls
        self.msgids = (n & 0xffffffff for n in itertools.count())

    async def run(self, fds):
        """Returns when the link has ended, and so should the program."""
        oneways = asyncio.create_task(self.serve_oneways())
        try:
            await self.link.run(fds)
        finally:
            for task in (oneways, *self.serving.values()):
                task.cancel()
            for future in self.pending.values():
                if not future.done():
                    future.set_exception(ConnectionError("the link to the parent has ended"))

    async def call(self, method, *params):
        """Calls a method of the parent. To cancel the call, cancel the task that waits for it."""
        msgid = next(n for n in self.msgids if n not in self.pending)
        await self.link.send(CALL, self.pack(0, msgid, method, params))
        future = self.pending[msgid] = asyncio.get_running_loop().create_future()
        try:
            element = await future
        except asyncio.CancelledError:
            self.link.put(WHOLE + URGENT, 0, self.pack(2, "$/cancel", [msgid]))
            raise  # the answer is still to come, and will be dropped
        error = element()
        if error is not None:
            raise RemoteError(error)
        return element()

    async def notify(self, method, *params):
        """Calls one way. Returns when all of it is on its way."""
        await self.link.send(ONEWAY, self.pack(2, method, params))

    def pack(self, *message):
        data = msgpack.packb(message, **STRINGS)
        check(len(data) <= self.link.limit, f"a message of {len(data)} bytes; the parent accepts {self.link.limit}")
        return data

    def received(self, c, message, taken):
        # One element after the other: params that cannot be decoded are an error of their call alone.
        unpacker = msgpack.Unpacker(max_buffer_size=len(message), strict_map_key=False, **STRINGS)
        unpacker.feed(message)
        element, lengths = unpacker.unpack, {CALL: (4, 5), REPLY: (4,), ONEWAY: (3, 4), URGENT: (3, 4)}[c]
        check(unpacker.read_array_header() in lengths and element() == min(c, 2), "a message in the class of another")
        if c == ONEWAY:
            self.oneways.put_nowait((element, taken))
            return
        if c == URGENT:
            return self.cancel(element)
        taken()
        msgid = element()
        if c == CALL:
            self.serving[msgid] = asyncio.create_task(self.serve(msgid, element))
            return
        future = self.pending.pop(msgid, None)
        if future and not future.done():  # else nobody waits for it any more
            future.set_result(element)

    async def serve(self, msgid, element):
        task = asyncio.current_task()
        try:
            self.answer(msgid, task, None, await self.invoke(element))
        except (Exception, asyncio.CancelledError) as e:
            self.answer(msgid, task, str(e) or repr(e))

    def cancel(self, element):
        method, (msgid,) = element(), element()
        check(method == "$/cancel", "another message than a cancel in class urgent")
        if msgid in self.serving:
            self.serving[msgid].cancel()
            self.answer(msgid, self.serving[msgid], "cancelled")  # at once, although the method may go on for a while

    def answer(self, msgid, task, error, result=None):
        data = self.pack(1, msgid, error, result)
        if self.serving.get(msgid) is task:  # or else it was answered
            del self.serving[msgid]
            sending = asyncio.create_task(self.link.send(REPLY, data))
            sending.add_done_callback(lambda _: sending.cancelled() or sending.exception())  # the link may have ended

    async def serve_oneways(self):
        while True:
            element, taken = await self.oneways.get()
            taken()
            try:
                await self.invoke(element)
            except Exception as e:
                logging.warning("a one-way call has failed: %r", e)

    async def invoke(self, element):
        method, params = element(), element()
        check(method in self.methods, f"there is no method {method}")
        check(isinstance(params, list), "params are no array")
        return await self.methods[method](*params)


class Child:
    def __init__(self, name):
        self.name = name
        self.peer = Peer({
            "Child.Greet": self.greet, "Child.Divide": self.divide, "Child.Echo": self.echo, "Child.Relay": self.relay,
            "Child.Tell": self.tell, "Child.Wait": self.wait, "Child.Hurry": self.hurry, "Child.Leave": self.leave,
        }, [{"name": "Division", "fields": [{"name": n, "type": "float64"} for n in "AB"]}])

    async def greet(self, name: "string") -> "string":
        return f"hello, {name}, from {self.name}"

    async def divide(self, numbers: "Division") -> "float64":
        """Divides A by B."""
        return numbers["A"] / numbers["B"]

    async def echo(self, data: "bytes") -> "bytes":
        return data

    async def relay(self, data: "bytes") -> "bytes":
        return await self.peer.call("Parent.Echo", data)

    async def tell(self, word: "string"):
        await self.peer.notify("Parent.Tell", word.upper())

    async def wait(self, _):
        """Returns only when it is cancelled."""
        try:
            await self.peer.notify("Parent.Tell", "waiting")
            await asyncio.sleep(3600)
        finally:
            await self.peer.notify("Parent.Tell", "stopped")

    async def hurry(self, _) -> "string":
        """Calls the parent, and cancels the call when it has taken 0.1 s."""
        try:
            return await asyncio.wait_for(self.peer.call("Parent.Wait", None), 0.1)
        except asyncio.TimeoutError:
            return "gave up"

    async def leave(self, _):
        self.peer.link.close()


async def main():
    fds = inherited()  # before the program looks at its arguments
    if fds is None:
        sys.exit("this is a child: its parent is started by go run ./examples/polyglot")
    await Child(sys.argv[1]).peer.run(fds)


if __name__ == "__main__":
    asyncio.run(main())
