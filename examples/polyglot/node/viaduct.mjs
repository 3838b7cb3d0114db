/**
 * A child of a viaduct parent, in Node.js 18 or later on Unix. Copy this file; it needs the package @msgpack/msgpack.
 *
 *     import { Peer } from './viaduct.mjs'
 *
 *     const peer = new Peer()
 *     peer.method('Child.Frontflip', async (height, call) => {
 *       return await peer.call('Parent.Judge', [height])      // may call back, to any depth
 *     })
 *     await peer.connect()                     // rejects with NotAChild if nobody started this program as one
 *     await peer.notify('Parent.Tell', ['ready'])  // one way; has resolved: the bytes are with the system
 *     await peer.wait()                        // until the parent ends the link, and so should the program
 *     process.exit()
 *
 * Calls: peer.call(method, [argument], { timeout: ms, signal, meta }) resolves to the result, or rejects with a
 * ViaductError: see there. Notifications are handled one at a time, in their order; calls as they come.
 *
 * A method gets the argument and a Call: its `signal` is aborted when the caller has given up, `deadline` is a time of
 * performance.now(), `meta` what came with it. Calls that a method makes are nested in the call that it serves (that is
 * followed through promises): they end with it and with its deadline. A method that throws
 * new MethodError(text, { code, data, names }) has all of that cross; of other errors the message does.
 *
 * Streams: await peer.open(), peer.accept(), and peer.offer(), which returns a name to send in a message and the
 * stream; the other side opens it by its name, as peer.open({ name }) does here. `for await (const chunk of stream)`
 * ends when the other side has ended the stream in order, and throws a StreamError or Down when it has not.
 * stream.write, closeWrite and close resolve when it is with the system. stream.reset() is for what went wrong.
 *
 * await peer.shutdown() ends the link when nothing is going on any more, peer.close() at once.
 *
 * Values are what @msgpack/msgpack makes of them. Integers that a number does not hold are BigInts, both ways; bytes
 * are Uint8Arrays; times are Dates, which have milliseconds; what is no UTF-8 in a string becomes U+FFFD. The rules
 * are in docs/PROTOCOL.md of viaduct; its words are used here.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { endianness } from 'node:os'
import { decode, encode } from '@msgpack/msgpack'

const [CALL, REPLY, NOTIFICATION, URGENT] = [0, 1, 2, 3] // classes of messages
const [WHOLE, FIRST, PIECE, ABORT, CREDIT, GRANT] = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24] // kinds; the class is added
const [PING, PONG, BYE, SHUTDOWN, IDLE, OPEN, ACCEPT] = [0x30, 0x31, 0x32, 0x33, 0x34, 0x40, 0x41]
const [DATA, STREAM_CREDIT, END, STOP, RESET] = [0x42, 0x44, 0x46, 0x48, 0x4a] // + 1 from who did not open the stream
const FRAME = 32768 // the longest payload
const HEAD = FRAME - 8 // bytes of a long message in its first frame
const BATCH = 64 << 10 // bytes written at once, and of short messages that go ahead of a piece of a long one
const WINDOW = 256 << 10 // bytes of a class, or of a stream, that may come before some of them were dealt with
const MOST_CREDIT = 2 ** 30
const MAX_DEPTH = 1000 // of arrays and maps in a value
const BACKLOG = 128 // streams that wait for accept
const MAX_SERVED = 512 << 20 // bytes of the calls that are served at once
const QUEUE = 64 << 20 // notifications give their credit back at once up to here, so that their sender need not wait
const MAGIC = Buffer.from('\xf1VIADUCT', 'latin1')
const FEATURES = ['streams', 'shutdown', 'calls', 'sync', 'methods']

const LENGTHS = new Map() // of payloads, by kind: least and most
for (const c of [CALL, REPLY, NOTIFICATION]) {
  for (const [kind, ...length] of [[WHOLE, 1, FRAME], [FIRST, FRAME, FRAME], [PIECE, 1, FRAME], [ABORT, 0, 0],
    [CREDIT, 0, 0], [GRANT, 0, 0]]) LENGTHS.set(kind + c, length)
}
for (const kind of [PING, PONG, BYE, SHUTDOWN, IDLE]) LENGTHS.set(kind, [0, 0])
for (const by of [0, 1]) {
  for (const [kind, ...length] of [[DATA, 1, FRAME], [STREAM_CREDIT, 4, 4], [END, 0, 0], [STOP, 0, 0],
    [RESET, 4, 4]]) LENGTHS.set(kind + by, length)
}
LENGTHS.set(WHOLE + URGENT, [1, 64]).set(OPEN, [8, 8]).set(ACCEPT, [4, 4])

/** What calls, notifications and streams fail with. notBegun: it is certain that the method was not begun. */
export class ViaductError extends Error {
  constructor(message, properties = {}) {
    super(message)
    this.name = new.target.name
    this.notBegun = false
    Object.assign(this, properties)
  }
}

/**
 * The other side has answered with an error; or, thrown by a method, what it is to answer with. code is an integer,
 * data any value, names those that both sides know, such as "io.EOF", panic the value and stack of a Go method.
 */
export class MethodError extends ViaductError {
  constructor(text = '', { code, data, names = [], panic, notBegun = false } = {}) {
    super(text, { code, data, names, panic, notBegun })
  }
}
class Own extends MethodError {} // what this side says of a call itself, not a method of it
/** The other side has too much to do, and did not begin the method. */
export class Overload extends MethodError {}
/** The call cannot be encoded, is larger than the other side takes, or the link is shutting down. */
export class NotSent extends ViaductError {
  constructor(message, properties) { super(message, { notBegun: true, ...properties }) }
}
/** The call was cancelled here, or the one that it was made for was. */
export class Cancelled extends ViaductError {}
/** The time given is over. */
export class DeadlineExceeded extends ViaductError {}
/** The link has ended. orderly: both sides know that it was to. */
export class Down extends ViaductError {}
/** The other side has sent what it must not. The link has ended. */
export class ProtocolError extends Down {}
/** The other side has reset the stream, refused it, or reads it no more. */
export class StreamError extends ViaductError {}
/** This program was not started as a child of a viaduct parent. */
export class NotAChild extends ViaductError {}

function check(ok, what) {
  if (!ok) throw new ProtocolError(typeof what === 'function' ? what() : what)
}

const later = (a, b) => { const d = (a - b) >>> 0; return d > 0 && d < 2 ** 31 } // of serial numbers

/** A promise and what settles it. Nobody need look at it. */
function deferred() {
  const d = {}
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }))
  d.promise.catch(() => {})
  return d
}

/** Waits for a promise, but only for so many milliseconds. */
async function within(ms, promise, what) {
  if (ms === undefined) return promise
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new DeadlineExceeded(what)), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// --- How a child learns of its link ---------------------------------------------------------------------------------

/** Takes the two words that tell a child of its link out of argv. Returns descriptors, or why there are none. */
function claim(argv) {
  for (let i = 2; i + 1 < argv.length; i++) {
    const [version, place] = argv.slice(i, i + 2)
    if (!/^viaduct\.[0-9]+$/.test(version) || !/^[a-z]+:/.test(place)) continue
    argv.splice(i, 2)
    const stdio = place === 'stdio:0,1'
    const match = /^fd:([1-9][0-9]*),([1-9][0-9]*)(?:,([1-9][0-9]*))?$/.exec(place)
    const fds = stdio ? [0, 1] : match ? match.slice(1).filter(Boolean).map(Number) : []
    if (version !== 'viaduct.1' || !fds.length || (!stdio && (Math.min(...fds) < 3 || new Set(fds).size < fds.length))) {
      return new NotAChild(`cannot use ${version} ${place}: expected viaduct.1 and fd:R,W or stdio:0,1`)
    }
    try {
      const stats = fds.map((fd) => fstatSync(fd))
      if (!stats.every((s) => s.isFIFO() || (stdio && s.isSocket()))) return new NotAChild(`${place} are not open pipes`)
    } catch (error) {
      return new NotAChild(`${place}: ${error.message}`)
    }
    // What the program prints goes to stderr then. (Node cannot move descriptors.)
    if (stdio) Object.defineProperty(process, 'stdout', { value: process.stderr })
    if (fds[2]) closeSync(fds[2]) // for the crashes of Go programs
    // Node cannot make them close-on-exec, but does so when it starts, for the first 16 descriptors at least.
    return fds.slice(0, 2)
  }
  return new NotAChild('this program is a child: a viaduct parent must start it (rpcpipe.Start), and has not')
}

let claimed = claim(process.argv) // before the program looks at its arguments

// --- Values ---------------------------------------------------------------------------------------------------------

const SIZE = new Uint8Array(256).fill(1) // of the values whose first byte says it; 0 of others
SIZE.fill(0, 0x80, 0xa0).fill(0, 0xc1, 0xe0)
for (let n = 0; n < 32; n++) SIZE[0xa0 + n] = 1 + n
SIZE[0xc2] = SIZE[0xc3] = 1
SIZE.set([5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18], 0xca)
// The others: bytes of the length, values (or 0, for bytes) for each that it counts, and bytes besides.
const COUNTED = new Map([[0xc4, [1, 0, 0]], [0xc5, [2, 0, 0]], [0xc6, [4, 0, 0]], [0xc7, [1, 0, 1]], [0xc8, [2, 0, 1]],
  [0xc9, [4, 0, 1]], [0xd9, [1, 0, 0]], [0xda, [2, 0, 0]], [0xdb, [4, 0, 0]], [0xdc, [2, 1, 0]], [0xdd, [4, 1, 0]],
  [0xde, [2, 2, 0]], [0xdf, [4, 2, 0]]])
for (let n = 0; n < 16; n++) COUNTED.set(0x80 + n, [0, 2, 0]).set(0x90 + n, [0, 1, 0])

/** Returns where the value at i ends. Whatever it says, it takes no memory: decoding takes as much as there is. */
function skip(b, i, depth = MAX_DEPTH) {
  const around = [] // values still to come at the levels around this one
  for (let left = 1; ;) {
    if (i >= b.length) throw new RangeError('cut off')
    if (SIZE[b[i]]) i += SIZE[b[i]]
    else {
      if (!COUNTED.has(b[i])) throw new RangeError('no MessagePack')
      const [width, values, more] = COUNTED.get(b[i])
      if (i + 1 + width > b.length) throw new RangeError('cut off')
      const n = width ? b.readUIntBE(i + 1, width) : b[i] & 15
      i += 1 + width + more
      if (values === 0) i += n
      else if (n > 0) {
        if (n * values > b.length - i) throw new RangeError('more values than bytes')
        if (around.length >= depth) throw new RangeError(`nested more than ${depth} deep`)
        around.push(left - 1)
        left = n * values
        continue
      }
    }
    left--
    while (left === 0) {
      if (around.length === 0) {
        if (i > b.length) throw new RangeError('cut off')
        return i
      }
      left = around.pop()
    }
  }
}

function unpack(b, depth = MAX_DEPTH) {
  if (skip(b, 0, depth) !== b.length) throw new RangeError('something behind the value')
  return smaller(decode(b, { useBigInt64: true }))
}

/** Makes numbers of the BigInts that fit. */
function smaller(v) {
  if (typeof v === 'bigint') return v >= Number.MIN_SAFE_INTEGER && v <= Number.MAX_SAFE_INTEGER ? Number(v) : v
  if (Array.isArray(v)) v.forEach((x, i) => { v[i] = smaller(x) })
  else if (v?.constructor === Object) for (const k in v) v[k] = smaller(v[k])
  return v
}

function pack(value) {
  const b = encode(value, { maxDepth: MAX_DEPTH + 3, useBigInt64: true })
  return Buffer.from(b.buffer, b.byteOffset, b.byteLength)
}

const u32 = (...numbers) => {
  const b = Buffer.alloc(4 * numbers.length)
  numbers.forEach((n, i) => b.writeUInt32LE(n, 4 * i))
  return b
}

/** Checks the map of a hello, and returns it with its defaults. */
function readHello(hello, nonce, ours) {
  let them
  try {
    them = unpack(hello, 8)
  } catch (error) {
    throw new ProtocolError(`the parent's hello is malformed: ${error.message}`)
  }
  check(them?.constructor === Object, "the parent's hello has no map")
  them = { encoding: 'msgpack', features: [], name: '', version: '', needs: ['', '', ''], ...them }
  check(Number.isInteger(them.max_message) && them.max_message > 0, `the parent's hello has a max_message of ${them.max_message}`)
  check(them.nonce?.length === 16, "the parent's hello has no nonce of 16 bytes")
  check(!nonce.equals(them.nonce), "the parent's hello is our own: the connection echoes")
  check(Array.isArray(them.features), "the features in the parent's hello are no array")
  check(them.encoding === 'msgpack', `the parent's encoding is ${them.encoding}, this child's is msgpack`)
  check(Array.isArray(them.needs) && them.needs.length === 3, "the needs in the parent's hello are not three texts")
  for (const [[name, low, high], who, whose] of [[them.needs, ours, 'this child'], [ours.needs, them, 'the parent']]) {
    check((name === '' || name === who.name) && order(who.version, low) >= 0 && order(who.version, high) <= 0, `${whose} is `
      + `${who.name} ${who.version}, and asked for is ${name} ${low} ${high} (name, lowest, highest version)`)
  }
  return them
}

/** Compares a version with a limit: negative, 0 or positive, NaN if there is no version. */
function order(version, limit) {
  if (!limit) return 0
  if (!version) return NaN
  const [have, want] = [version, limit].map((v) => (String(v).split(/[-+]/)[0].match(/[0-9]+/g) ?? []).map(Number))
  const i = want.findIndex((n, i) => n !== (have[i] ?? 0))
  return i < 0 ? 0 : (have[i] ?? 0) - want[i]
}

// --- Frames ---------------------------------------------------------------------------------------------------------

function frame(kind, id = 0, payload) {
  const head = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt16LE(payload?.length ?? 0, 2)
  head.writeUInt32LE(id >>> 0, 4)
  return payload ? [head, payload] : [head]
}

/**
 * The frames. What is to be sent waits for credit, for a grant and for the pipe; what comes is dealt with at once, or
 * both sides could wait for each other to read.
 */
class Link {
  reason = undefined // why the link has ended
  ended = deferred()
  closing = false
  saidBye = false
  // What this side sends.
  writing = false // the pipe is full
  pong = undefined
  pings = new Map()
  control = [] // small frames, and what to call when they are written
  answers = new Map() // frames, by ids of streams that the parent has opened
  queues = [[], [], []] // messages not begun, by class
  turns = [REPLY, CALL, NOTIFICATION] // the class that has waited longest is the first
  long = new Map() // messages begun and not ended, by class and id
  ready = [] // long messages and streams that may send their next bytes
  ahead = 0 // bytes of short messages since the last of these
  credit = [0, 0, 0]
  lastId = 0
  begun = 0
  // What the parent sends.
  owed = [WINDOW, WINDOW, WINDOW] // credit that it has not been told of
  allowed = [0, 0, 0] // credit that it has
  input = Buffer.alloc(0)
  arriving = new Map() // long messages, by class and id
  received = 0
  ungranted = [[], [], []]
  granted = [0, 0, 0]
  // Streams, by who has opened them and id.
  streams = new Map()
  offers = new Map()
  backlog = []
  accepting = [] // who waits for one
  unread = new Set() // those that have ended, and have bytes that nobody has read
  lastIn = undefined
  lastOut = undefined
  // The end.
  draining = false
  shutting = false
  told = ''
  heard = undefined
  quiet = deferred()

  constructor([readFd, writeFd], peer) {
    this.peer = peer
    this.maxMessage = peer.options.maxMessage
    this.from = new Socket({ fd: readFd, readable: true, writable: false })
    this.to = new Socket({ fd: writeFd, readable: false, writable: true })
    for (const socket of [this.from, this.to]) socket.on('error', () => this.lost())
    this.from.on('end', () => this.lost()).on('close', () => this.lost())
    this.to.on('drain', () => { this.writing = false; setImmediate(() => this.pump()) }) // there may be something to read
  }

  lost() { this.end(new Down('the parent has ended, or closed its pipe', { orderly: false })) }

  /** Says hello, and resolves to what the parent's says. */
  async hello(ours, timeout) {
    const nonce = randomBytes(16)
    const map = pack({ ...ours, pid: process.pid, lang: 'javascript', max_message: this.maxMessage, features: FEATURES,
      order: endianness() === 'LE' ? 'little' : 'big', nonce })
    this.to.write(Buffer.concat([MAGIC, Buffer.from([1, 0, 1, 0]), u32(map.length), map]))
    const theirs = deferred()
    this.from.on('data', (chunk) => {
      this.input = this.input.length ? Buffer.concat([this.input, chunk]) : chunk
      this.attempt(() => {
        if (this.remote) return this.read()
        const remote = this.readHello(nonce, ours)
        if (remote) theirs.resolve(this.remote = remote)
      })
    })
    const gone = this.ended.promise.then((reason) => { throw reason })
    return within(timeout, Promise.race([theirs.promise, gone]), 'the parent has not said hello in time')
  }

  readHello(nonce, ours) {
    const b = this.input
    const start = b.subarray(0, Math.min(8, b.length))
    check(MAGIC.subarray(0, start.length).equals(start), () => `what the parent says begins with ${start.toString('hex')}, `
      + `which is no hello: expected ${MAGIC.toString('hex')}`)
    if (b.length < 16) return
    const [low, high, size] = [b.readUInt16LE(8), b.readUInt16LE(10), b.readUInt32LE(12)]
    check(low <= high && size <= 16384, `the parent's hello has versions ${low} to ${high} and ${size} bytes`)
    check(low <= 1 && high >= 1, `the parent speaks protocol versions ${low} to ${high}, this child 1 to 1`)
    if (b.length < 16 + size) return
    this.input = b.subarray(16 + size)
    return readHello(b.subarray(16, 16 + size), nonce, ours)
  }

  /** Begins with what comes behind the hello. */
  run() {
    this.pump()
    this.attempt(() => this.read())
  }

  /** Reads. No method is called from here: what goes wrong is about the parent. */
  attempt(read) {
    try {
      read()
    } catch (error) {
      this.end(error instanceof Down ? error : new Down(`the link was given up: ${error.stack}`, { orderly: false }))
    }
  }

  end(reason) {
    if (this.reason) return
    this.reason = reason
    for (const socket of [this.from, this.to]) socket.destroy()
    for (const m of [...this.queues.flat(), ...this.long.values()]) m.done.reject(reason)
    for (const s of [...this.streams.values(), ...this.offers.values()]) s.changed()
    for (const waiting of [...this.pings.values(), ...this.accepting]) waiting.reject(reason)
    this.quiet.resolve(false)
    this.ended.resolve(reason)
    this.peer.hasEnded(reason)
  }

  // Writing.

  /** Has a small frame sent, ahead of messages. */
  put(kind, id, payload, done) {
    this.control.push([frame(kind, id, payload), done])
    this.pump()
  }

  /** Sends a message: its promise says when all of it is with the system. then is called at that time. */
  send(c, data, then) {
    const m = { c, data, then, sent: 0, id: undefined, granted: false, gone: false, done: deferred() }
    if (this.reason) m.done.reject(this.reason)
    else this.queues[c].push(m)
    this.pump()
    return m
  }

  /** Takes back a message of which the last byte has not been sent. */
  withdraw(m) {
    m.done.reject(new Cancelled('it was taken back'))
    if (m.id === undefined) {
      this.queues[m.c].splice(this.queues[m.c].indexOf(m), 1)
      return
    }
    this.long.delete(`${m.c} ${m.id}`)
    this.ready = this.ready.filter((x) => x !== m)
    this.put(ABORT + m.c, m.id)
  }

  /** Writes what can be sent, unless somebody is at it. */
  pump() {
    while (!this.writing && !this.reason && !this.saidBye && this.remote) {
      const { out, done } = this.batch()
      if (!out.length) return
      this.writing = true // before what is written calls for more
      const room = this.to.write(Buffer.concat(out), (error) => { if (!error) done.forEach((f) => f()) })
      this.writing = !room
      if (this.saidBye) this.to.end(() => this.end(new Down('this side has closed the link', { orderly: true })))
    }
  }

  /**
   * Returns what is to be written next, and what to call when it is written. Control goes first, short messages ahead of
   * pieces, of which there is one after every 64 KiB of those.
   */
  batch() {
    const [out, done] = [[], []]
    if (this.pong !== undefined) out.push(...frame(PONG, this.pong))
    this.pong = undefined
    for (const c of [CALL, REPLY, NOTIFICATION]) {
      if (this.owed[c] < WINDOW / 2) continue
      out.push(...frame(CREDIT + c, this.owed[c]))
      this.allowed[c] += this.owed[c]
      this.owed[c] = 0
    }
    for (const answer of this.answers.values()) out.push(...answer)
    this.answers.clear()
    for (const [parts, f] of this.control.splice(0)) {
      out.push(...parts)
      if (f) done.push(f)
    }
    for (let size = 0; size < BATCH;) {
      const alone = [...this.long.values()].some((m) => m.c === NOTIFICATION) // nothing of its class may pass a long one
      const c = this.turns.find((c) => this.queues[c].length && this.credit[c] > 0 && !(c === NOTIFICATION && alone))
      if (this.ready.length && (c === undefined || this.ahead >= BATCH)) {
        this.ahead = 0
        size += this.piece(out, this.ready.shift(), done)
      } else if (c !== undefined) {
        this.turns.push(...this.turns.splice(this.turns.indexOf(c), 1))
        size += this.begin(out, this.queues[c].shift(), done)
      } else break
    }
    if (!out.length && this.draining) this.idle(out)
    if (!out.length && this.closing && !this.queues.some((q) => q.length) && !this.long.size) {
      out.push(...frame(BYE))
      this.saidBye = true
    }
    return { out, done }
  }

  begin(out, m, done) {
    this.begun++
    let size = m.data.length
    if (size <= FRAME) {
      out.push(...frame(WHOLE + m.c, 0, m.data))
      this.last(m, done)
    } else {
      size = FRAME
      do m.id = this.lastId = (this.lastId + 1) >>> 0
      while (this.long.has(`${m.c} ${m.id}`))
      this.long.set(`${m.c} ${m.id}`, m)
      m.sent = HEAD
      const total = Buffer.alloc(8)
      total.writeBigUInt64LE(BigInt(m.data.length))
      out.push(...frame(FIRST + m.c, m.id, Buffer.concat([total, m.data.subarray(0, HEAD)])))
    }
    this.credit[m.c] -= size + 32
    this.ahead += size
    return size
  }

  piece(out, x, done) {
    if (x instanceof Stream) return x.next(out, done)
    const part = x.data.subarray(x.sent, x.sent + FRAME)
    out.push(...frame(PIECE + x.c, x.id, part))
    x.sent += part.length
    if (x.sent < x.data.length) this.ready.push(x)
    else {
      this.long.delete(`${x.c} ${x.id}`)
      this.last(x, done)
    }
    return part.length
  }

  last(m, done) {
    m.gone = true
    done.push(() => {
      m.done.resolve()
      m.then?.()
    })
  }

  /** Says that nothing is going on here, if that is so, behind all that was sent. */
  idle(out) {
    if (this.queues.some((q) => q.length) || this.long.size || this.streams.size || this.offers.size || this.unread.size
      || this.peer.busy()) return
    const tells = this.knows('shutdown')
    if (this.told !== `${this.received} ${this.begun}`) {
      this.told = `${this.received} ${this.begun}`
      if (tells) out.push(...frame(IDLE, this.received))
    }
    if (!tells || this.heard === this.begun >>> 0) this.quiet.resolve(true)
  }

  knows(feature) { return this.remote.features.includes(feature) }

  // Reading.

  read() {
    while (this.input.length >= 8 && !this.reason) {
      const [kind, zero, length, id] = [this.input[0], this.input[1], this.input.readUInt16LE(2), this.input.readUInt32LE(4)]
      if (kind < 0x80) { // those above need not be known
        const [least, most] = LENGTHS.get(kind) ?? [1, 0]
        check(zero === 0 && length >= least && length <= most, () => `a frame of kind 0x${kind.toString(16)} with ${length} bytes`)
      }
      if (this.input.length < 8 + length) return
      const payload = this.input.subarray(8, 8 + length)
      this.input = this.input.subarray(8 + length)
      if (kind < 0x80) this.frame(kind, id, payload)
    }
    if (this.input.length === 0) this.input = Buffer.alloc(0) // what it was a part of can go
  }

  /** Deals with a frame that has come. */
  frame(kind, id, payload) {
    const [c, step, key] = [kind & 3, kind & ~3, `${kind & 3} ${id}`]
    if (kind >= OPEN) this.streamFrame(kind, id, payload)
    else if (kind === PING) this.pong = id
    else if (kind === PONG) {
      this.pings.get(id)?.resolve()
      this.pings.delete(id)
    } else if (kind === BYE) this.end(new Down('the parent has closed the link', { orderly: true }))
    else if (kind === SHUTDOWN) this.drain()
    else if (kind === IDLE) this.heard = id
    else if (kind === WHOLE + URGENT) this.peer.received(c, payload, 0, 0)
    else if (step === WHOLE) {
      this.begins(c, payload.length)
      this.received++
      this.peer.received(c, payload, payload.length + 32, 0)
    } else if (step === FIRST) {
      const total = payload.readBigUInt64LE()
      check(total > FRAME && total <= this.maxMessage, `a long message of ${total} bytes: more than ${FRAME} were expected, `
        + `and at most ${this.maxMessage}`)
      check(!this.arriving.has(key), `a long message ${id} within one of that number`)
      this.begins(c, FRAME)
      this.arriving.set(key, { total: Number(total), left: Number(total) - HEAD, parts: [payload.subarray(8)], granted: false })
      this.ungranted[c].push(id)
      this.grant(c)
    } else if (step === PIECE) {
      const m = this.arriving.get(key)
      check(m?.granted, `a piece of message ${id}, which has not begun or was not granted`)
      check(payload.length <= m.left, `more of message ${id} than its ${m.total} bytes`)
      m.parts.push(payload)
      m.left -= payload.length
      if (m.left > 0) return
      this.arriving.delete(key)
      this.received++
      this.peer.received(c, Buffer.concat(m.parts), FRAME + 32, m.total - HEAD)
    } else if (step === ABORT) {
      const m = this.arriving.get(key)
      check(m, `an abort of message ${id}, which has not begun`)
      this.arriving.delete(key)
      this.received++
      if (!m.granted) this.ungranted[c].splice(this.ungranted[c].indexOf(id), 1)
      this.taken(c, FRAME + 32, m.granted ? m.total - HEAD : 0)
    } else if (step === CREDIT) {
      this.credit[c] += id
      check(id > 0 && this.credit[c] <= MOST_CREDIT, `credit of ${id}, which makes ${this.credit[c]}`)
    } else if (step === GRANT) {
      const m = this.long.get(key)
      if (m && !m.granted) {
        m.granted = true
        this.ready.push(m)
      }
    }
    this.pump()
  }

  begins(c, size) {
    check(size <= this.maxMessage, `a message of ${size} bytes, which is over the limit of ${this.maxMessage}`)
    check(this.allowed[c] > 0, 'a message without credit')
    check(c !== NOTIFICATION || ![...this.arriving.keys()].some((k) => k.startsWith('2 ')), 'a notification within another')
    this.allowed[c] -= size + 32
    this.heard = undefined
  }

  /** Lets long messages send their rests, in their order, and no more at a time than the largest may have. */
  grant(c) {
    while (this.ungranted[c].length) {
      const m = this.arriving.get(`${c} ${this.ungranted[c][0]}`)
      const rest = m.total - HEAD
      if (this.granted[c] > 0 && this.granted[c] + rest > this.maxMessage) return
      this.granted[c] += rest
      m.granted = true
      this.put(GRANT + c, this.ungranted[c].shift())
    }
  }

  /** A message is no longer held. */
  taken(c, cost, rest = 0) {
    this.owed[c] += cost
    this.granted[c] -= rest
    this.grant(c)
    this.pump()
  }

  /** Nothing is begun any more but what is needed for what is going on. */
  drain() {
    this.draining = true
    for (const s of this.backlog.splice(0)) {
      this.streams.delete(s.key)
      this.refuse(s.id, 4)
    }
    for (const waiting of this.accepting.splice(0)) waiting.reject(new NotSent('the link is shutting down'))
    this.pump()
  }

  // Streams.

  refuse(id, code) { this.answers.set(id, frame(RESET + 1, id, u32(code))) }

  streamFrame(kind, id, payload) {
    if (kind === OPEN) return this.opened(id, payload.readUInt32LE(0), payload.readUInt32LE(4))
    const [mine, what] = [(kind & 1) === 1, kind === ACCEPT ? kind : kind & ~1]
    const [s, last] = [this.streams.get(`${mine} ${id}`), mine ? this.lastOut : this.lastIn]
    if (!s) { // it may have crossed our end, stop or reset
      check(last !== undefined && !later(id, last), `a frame of stream ${id}, which was not opened`)
      return
    }
    const number = payload.length === 4 ? payload.readUInt32LE() : 0
    check(s.state === 'open' ? what !== ACCEPT : what === RESET || (what === ACCEPT && s.state === 'opening'),
      () => `a frame of kind 0x${kind.toString(16)} of stream ${id}, which is ${s.state}`)
    if (what === ACCEPT) {
      check(number <= MOST_CREDIT, `a window of ${number}`)
      s.state = 'open'
      s.credit = number
    } else if (what === RESET) {
      if (!mine) this.answers.delete(id)
      this.backlog = this.backlog.filter((x) => x !== s)
      s.gone(new StreamError({ 0: 'the parent has reset the stream', 5: 'the parent has closed the stream within what it was '
        + 'writing' }[number] ?? `the parent has refused the stream: code ${number} of a reset`), number === 5)
    } else if (what === DATA) {
      check(payload.length <= s.allowed && !s.inEnded, `data of stream ${id} without credit or after its end`)
      s.allowed -= payload.length
      if (!s.closed) s.inbox.push(payload)
    } else if (what === STREAM_CREDIT) {
      s.credit += number
      check(number > 0 && s.credit <= MOST_CREDIT, `stream credit of ${number}, which makes ${s.credit}`)
    } else if (what === END) {
      check(!s.inEnded, `a second end of stream ${id}`)
      s.inEnded = true
    } else if (what === STOP && !s.outEnded) {
      s.stopped = true
      s.sendEnd()
    }
    s.changed()
  }

  opened(id, window, name) {
    check(window <= MOST_CREDIT, `a window of ${window}`)
    check(this.lastIn === undefined || later(id, this.lastIn), `an open of ${id}, again`)
    check(this.backlog.length + this.answers.size < 256, 'more than 256 opens without an answer')
    this.lastIn = id
    this.heard = undefined
    this.received++
    const s = name ? this.offers.get(name) : new Stream(this, 'waiting', `false ${id}`, id)
    if (!s) return this.refuse(id, 3)
    if (!name && this.draining) return this.refuse(id, 4)
    if (!name && this.backlog.length >= BACKLOG) return this.refuse(id, 1)
    this.offers.delete(name)
    Object.assign(s, { key: `false ${id}`, id, credit: window })
    this.streams.set(s.key, s)
    if (name) s.accept()
    else if (this.accepting.length) this.accepting.shift().resolve(s.accept())
    else this.backlog.push(s)
  }
}

/** A byte stream each way. */
export class Stream {
  error = undefined // why nothing comes or goes any more
  closed = false // by this side
  inbox = []
  allowed = WINDOW
  owed = 0
  inEnded = false
  credit = 0
  out = [] // what writes wait for: { data, done }
  isReady = false
  outEnded = false
  stopped = false
  cut = false
  endWritten = deferred()
  reading = deferred()

  constructor(link, state, key, id) { Object.assign(this, { link, state, key, id }) }

  get by() { return this.key.startsWith('true') ? 0 : 1 }

  /** Resolves to the next bytes, as a Buffer, or null at the end that the other side has said. */
  async read() {
    for (;;) {
      if (this.closed) throw new StreamError('this side has closed the stream')
      if (this.inbox.length) break
      if (this.inEnded) return null
      if (this.error ?? this.link.reason) throw this.error ?? this.link.reason
      await this.reading.promise
    }
    const chunk = this.inbox.shift()
    this.owed += chunk.length
    if (this.owed >= WINDOW / 2 && !this.inEnded && this.state === 'open') {
      this.allowed += this.owed
      this.link.put(STREAM_CREDIT + this.by, this.id, u32(this.owed))
      this.owed = 0
    }
    this.changed()
    return chunk
  }

  /** The bytes until the end. Who leaves the loop before that resets the stream. */
  async* [Symbol.asyncIterator]() {
    let whole = false
    try {
      for (let chunk; (chunk = await this.read());) yield chunk
      whole = true
    } finally {
      if (!whole && !this.closed) this.reset()
    }
  }

  /** Resolves when all of it is with the system. Writes go in their order. */
  write(data) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength)
    if (this.why()) return Promise.reject(this.why())
    if (bytes.length === 0) return Promise.resolve()
    const done = deferred()
    this.out.push({ data: bytes, done, sent: 0 })
    this.changed()
    return done.promise
  }

  /** Nothing more follows from here. The other side reads what was written, and then the end. Reading goes on. */
  async closeWrite() {
    if (this.error || this.outEnded) return
    if (this.out.length) return this.resetBy(5)
    if (this.state === 'offered') this.outEnded = true // goes when it is opened
    else {
      this.sendEnd()
      await Promise.race([this.endWritten.promise, this.link.ended.promise.then((reason) => { throw reason })])
    }
  }

  /** Ends both directions in order, or, of an offer that nobody has opened, takes it back. */
  async close() {
    if (this.closed) return
    if (this.state === 'offered' || (this.out.length && !this.outEnded) || this.error) return this.resetBy(5)
    this.closed = true
    this.inbox = []
    if (!this.inEnded && !this.link.closing) this.link.put(STOP + this.by, this.id)
    this.changed()
    await this.closeWrite()
  }

  /** Ends the stream at once, and not in order: what has not been read is lost on both sides. */
  reset() { this.resetBy(0) }

  /** Why nothing can be written, if so. */
  why() {
    if (this.closed || (this.outEnded && !this.stopped)) return new StreamError('this side has closed the stream')
    return this.error ?? (this.stopped ? new StreamError('the parent reads the stream no more') : this.link.reason)
  }

  /** What depends on the state of the stream. */
  changed() {
    if (this.out.length && this.why()) for (const { done } of this.out.splice(0)) done.reject(this.why())
    if (this.state === 'open' && this.credit > 0 && !this.isReady && !this.link.closing && this.out.some(unsent)) {
      this.isReady = true
      this.link.ready.push(this)
    }
    if (this.state === 'open' && this.inEnded && this.outEnded) this.gone(undefined, true)
    if (this.state === 'dead' && (this.closed || !this.inbox.length)) this.link.unread.delete(this)
    this.reading.resolve()
    this.reading = deferred()
    this.link.pump()
  }

  next(out, done) {
    this.isReady = false
    const write = this.out.find(unsent)
    if (!write || this.state !== 'open') return 0
    const part = write.data.subarray(write.sent, write.sent + Math.min(FRAME, this.credit))
    out.push(...frame(DATA + this.by, this.id, part))
    write.sent += part.length
    this.credit -= part.length
    if (!unsent(write)) {
      done.push(() => {
        write.done.resolve()
        this.out = this.out.filter((w) => w !== write)
      })
    }
    if (this.credit > 0 && this.out.some(unsent)) {
      this.isReady = true
      this.link.ready.push(this)
    }
    return part.length
  }

  sendEnd() {
    this.outEnded = true
    // None once this side ends the link: it would say that what was written is all there was.
    if (!this.link.closing) this.link.put(END + this.by, this.id, undefined, () => this.endWritten.resolve())
    this.changed()
  }

  accept() {
    this.state = 'open'
    this.link.answers.set(this.id, frame(ACCEPT, this.id, u32(WINDOW)))
    if (this.outEnded) this.sendEnd()
    this.changed()
    return this
  }

  resetBy(code) {
    const { state } = this
    this.closed = true
    for (const [name, s] of this.link.offers) if (s === this) this.link.offers.delete(name)
    this.gone(new StreamError('this side has closed the stream'))
    if (state === 'open' || state === 'opening') this.link.put(RESET + this.by, this.id, u32(code))
  }

  /** The stream is forgotten. */
  gone(error, keep = false) {
    this.state = 'dead'
    this.error ??= error
    this.link.streams.delete(this.key)
    if (!keep) {
      this.inbox = []
      this.inEnded = false
    }
    if (this.inbox.length && !this.closed) this.link.unread.add(this)
    this.changed()
  }
}

const unsent = (write) => write.sent < write.data.length

// --- Messages -------------------------------------------------------------------------------------------------------

const serving = new AsyncLocalStorage() // the Call that is served

/** A call, or a notification, of the parent. */
export class Call {
  #controller = new AbortController()
  meta = {}
  deadline = undefined
  /** Is aborted when the caller has given up, or the link has ended. */
  signal = this.#controller.signal

  constructor(peer, msgid, method) { Object.assign(this, { peer, msgid, method }) }

  /** Milliseconds until the deadline, undefined if there is none. */
  remaining() { return this.deadline === undefined ? undefined : this.deadline - performance.now() }

  /** Ends it. For Peer. */
  stop() { this.#controller.abort(new Cancelled('the caller has given up')) }
}

/** The Call that the code running is serving, or undefined. */
export const current = () => serving.getStore()

const NO_BYTES = Buffer.alloc(0)

/** The parent. */
export class Peer {
  methods = new Map()
  about = []
  /** What the parent's hello says. */
  remote = undefined
  link = undefined
  pending = new Map() // our calls, by msgid
  lastId = 0xffffffff
  open_ = new Map() // Calls that were not answered, by msgid
  running = 0 // methods of calls, and answers that are being sent
  served = 0 // bytes of these calls
  notifications = []
  held = 0 // bytes of these
  notifying = false
  handled = deferred() // after the end of the link all methods have ended

  /**
   * @param {{name?: string, version?: string, needs?: [string, string, string], types?: object[], maxMessage?: number,
   *   maxCalls?: number, exitAfter?: number}} options  name and version of this application, needs (name, lowest and
   *   highest version) of the parent's, types for the listing of methods, the largest message taken, the most calls
   *   served at once, and how many milliseconds after the end of the link the process exits at the latest.
   */
  constructor(options = {}) {
    this.options = { name: '', version: '', needs: ['', '', ''], types: [], maxMessage: 64 << 20, maxCalls: 16384,
      exitAfter: 1000, ...options }
    this.method('$/methods', () => ({ methods: this.about, types: this.options.types }))
  }

  /**
   * The function serves calls, and notifications, of this name.
   * @param {string} name
   * @param {(...args: [...any, Call]) => any} f
   * @param {{arg?: string, reply?: string, doc?: string}} about  what the listing of methods says
   */
  method(name, f, { arg = 'any', reply = 'any', doc = '' } = {}) {
    this.methods.set(name, f)
    if (!name.startsWith('$/')) this.about.push({ name, arg, reply, doc })
    this.about.sort((a, b) => (a.name < b.name ? -1 : 1))
    return this
  }

  /** Says hello to the parent. Methods are registered before: a call may come at once. */
  async connect({ timeout = 10_000 } = {}) {
    if (claimed instanceof Error) throw claimed
    const link = new Link(claimed, this)
    claimed = new NotAChild('this program is connected already')
    const { name, version, needs } = this.options
    try {
      this.remote = await link.hello({ name, version, needs }, timeout)
    } catch (error) {
      link.end(error)
      throw error
    }
    this.link = link
    for (const name of ['SIGINT', 'SIGHUP']) { // the parent, which gets them too, ends this child in order
      if (process.listenerCount(name) === 0) process.on(name, () => {})
    }
    link.run()
    return this
  }

  // Calls out.

  /**
   * Calls a method of the parent and resolves to its result.
   * @param {string} method
   * @param {any[]} params  the argument; more than one is for methods that take them by position
   * @param {{timeout?: number, signal?: AbortSignal, meta?: Record<string, string>}} options  timeout is in milliseconds
   */
  async call(method, params = [], { timeout, signal, meta } = {}) {
    const outer = current()?.peer === this && current().msgid !== undefined ? current() : undefined
    signal?.throwIfAborted()
    const left = [timeout, outer?.remaining()].filter((t) => t !== undefined)
    const info = left.length ? { timeout: Math.max(1, Math.round(Math.min(...left) * 1e6)) } : {}
    if (outer) info.within = outer.msgid
    const data = this.encode(CALL, method, params, info, meta)
    this.mayBegin()
    outer?.signal.throwIfAborted()
    do this.lastId = (this.lastId + 1) >>> 0
    while (this.pending.has(this.lastId))
    const msgid = this.lastId
    data.writeUInt32BE(msgid, 3)
    const call = { ...deferred(), served: 0 }
    this.pending.set(msgid, call)
    call.message = this.link.send(CALL, data)
    const giveUp = (error) => {
      if (this.pending.get(msgid) === call && !this.link.reason) {
        error.notBegun = !call.message.gone
        if (call.message.gone) this.link.put(WHOLE + URGENT, 0, this.cancelOf(msgid)) // the answer is still to come
        else {
          this.pending.delete(msgid)
          this.link.withdraw(call.message)
        }
      }
      call.reject(error)
    }
    const cancel = () => giveUp(new Cancelled(`${method} was cancelled`, { cause: signal?.reason ?? outer?.signal.reason }))
    const timer = left.length ? setTimeout(() => giveUp(new DeadlineExceeded(`${method} has taken longer than its deadline`)),
      Math.max(0, Math.min(2 ** 31 - 1, ...left))) : undefined
    for (const s of [signal, outer?.signal]) s?.addEventListener('abort', cancel)
    try {
      return await call.promise
    } catch (error) {
      if (!left.length || !['context.DeadlineExceeded', 'viaduct.ErrTooLate'].some((n) => error.names?.includes(n))) throw error
      throw new DeadlineExceeded(`${method}: ${error.message}`, { notBegun: error.notBegun }) // the parent's clock was faster
    } finally {
      clearTimeout(timer)
      for (const s of [signal, outer?.signal]) s?.removeEventListener('abort', cancel)
    }
  }

  cancelOf(msgid) {
    const b = Buffer.from('\x93\x02\xa8$/cancel\x91\xce\0\0\0\0', 'latin1')
    b.writeUInt32BE(msgid, b.length - 4)
    return b
  }

  /** Calls one way. Resolves when all of it is with the system: it arrives although this process ends right then. */
  async notify(method, params = [], { meta, timeout } = {}) {
    const data = this.encode(NOTIFICATION, method, params, {}, meta)
    this.mayBegin()
    const m = this.link.send(NOTIFICATION, data)
    try {
      await within(timeout, m.done.promise, `${method} could not be sent in time`)
    } catch (error) {
      if (error !== this.link.reason) {
        if (m.gone) return m.done.promise
        this.link.withdraw(m)
        throw Object.assign(error, { notBegun: true })
      }
      throw this.isDown(m.gone)
    }
  }

  /** Resolves when the parent has handled all notifications that were sent before. */
  async sync(options) {
    if (!this.remote.features.includes('sync')) throw new NotSent('the parent does not know sync')
    await this.call('$/sync', [], options)
  }

  encode(c, method, params, info, meta) {
    if (!this.link) throw new NotSent('not connected: call connect first')
    if (!Array.isArray(params)) throw new NotSent(`${method}: its arguments are to be in an array: [argument]`)
    let all = { ...info, ...(meta ? { meta } : {}) }
    if (!this.link.knows('calls')) all = {}
    const more = Object.keys(all).length > 0 ? 1 : 0
    let parts
    try {
      const head = c === CALL ? [0x94 + more, 0, 0xce, 0, 0, 0, 0] : [0x93 + more, 2]
      parts = [Buffer.from(head), pack(method), pack(params)]
      if (more) {
        const b = pack({ ...all, size: 0xffffffff })
        b.writeUInt32BE(b.length, b.length - 4)
        parts.push(b)
      }
    } catch (error) {
      throw new NotSent(`${method}: its arguments cannot be encoded: ${error.message}`)
    }
    const data = Buffer.concat(parts)
    if (data.length > this.remote.max_message) {
      throw new NotSent(`${method}: a message of ${data.length} bytes; the parent takes ${this.remote.max_message}`)
    }
    return data
  }

  mayBegin() {
    const { link } = this
    if (link.reason) throw this.isDown(false)
    const call = current()
    const serves = call?.peer === this && (call.msgid === undefined || this.open_.get(call.msgid) === call)
    if (link.closing || (link.draining && !serves)) throw new NotSent('the link is shutting down')
  }

  isDown(gone) {
    const { reason } = this.link
    return new reason.constructor(reason.message, { orderly: reason.orderly, notBegun: !gone })
  }

  // What comes in.

  /** Takes a message apart. c is its class. */
  received(c, data, cost, rest) {
    let [count, i, msgid, method] = []
    const item = (kind) => {
      const end = skip(data, i, 16)
      const value = unpack(data.subarray(i, end))
      i = end
      if (typeof value !== kind) throw new RangeError(`${typeof value} where ${kind} was expected`)
      return value
    }
    let end
    try {
      [count, i] = arrayOf(data)
      const kind = item('number')
      check(kind === Math.min(c, 2) && [[4, 5], [4], [3, 4], [3, 4]][c].includes(count),
        `a message of type ${kind} with ${count} elements in class ${c}`)
      if (c === CALL || c === REPLY) {
        msgid = item('number')
        check(Number.isInteger(msgid) && msgid >= 0 && msgid <= 0xffffffff, `a msgid of ${msgid}`)
      }
      if (c === REPLY) end = skip(data, i)
      else method = item('string')
    } catch (error) {
      throw error instanceof ProtocolError ? error : new ProtocolError(`a malformed message in class ${c}: ${error.message}`)
    }
    if (c === REPLY) return this.replied(msgid, data.subarray(i, end), data.subarray(end), cost, rest)
    if (c === URGENT) return this.cancel(method, data.subarray(i))
    const call = new Call(this, msgid, method)
    let outer
    try {
      end = skip(data, i, MAX_DEPTH + 1)
      call.params = data.subarray(i, end)
      if (count === (c === CALL ? 5 : 4)) outer = this.pending.get(readInfo(call, data.subarray(end)))
      else if (end < data.length) throw new RangeError('something behind them')
    } catch (error) {
      call.bad = `params that cannot be decoded: ${error.message}`
    }
    call.size = data.length
    if (c === NOTIFICATION) return this.order(call, cost, rest)
    this.open_.set(msgid, call)
    const full = this.running >= this.options.maxCalls || (this.running && this.served + call.size > MAX_SERVED)
    if (full && !(outer?.served < 16)) {
      const error = new Own('too many calls are being served', { names: ['viaduct.ErrOverload'] })
      this.answer(call, error, undefined, () => this.link.taken(CALL, cost, rest))
      return
    }
    this.link.taken(CALL, cost, rest)
    if (method === '$/sync') return this.order(call, 0, 0)
    this.serve(call, outer)
  }

  replied(msgid, error, result, cost, rest) {
    this.link.taken(REPLY, cost, rest)
    const call = this.pending.get(msgid)
    this.pending.delete(msgid)
    if (!call) return // nobody waits for it
    try {
      const e = unpack(error)
      if (e !== null) call.reject(methodError(e))
      else call.resolve(unpack(result))
    } catch (problem) {
      call.reject(new ViaductError(`the result cannot be decoded: ${problem.message}`))
    }
  }

  cancel(method, params) {
    let msgid
    try {
      [msgid] = unpack(params)
    } catch (error) {
      throw new ProtocolError(`a cancel without a msgid: ${error.message}`)
    }
    check(method === '$/cancel' && Number.isInteger(msgid), 'a message in class urgent that is no cancel')
    const call = this.open_.get(msgid)
    if (!call) return // it has been answered
    this.answer(call, new Own('cancelled', { names: ['context.Canceled'] })) // at once, although the method may go on
    call.stop()
  }

  /** Queues a notification, or a sync, which is answered in its turn. */
  order(call, cost, rest) {
    const early = this.held + call.size <= QUEUE
    if (early && call.msgid === undefined) this.link.taken(NOTIFICATION, cost, rest)
    this.held += call.size
    this.notifications.push([call, early ? undefined : [cost, rest]])
    if (!this.notifying) this.serveNotifications()
  }

  async serveNotifications() {
    this.notifying = true
    await undefined // not while something is being read
    while (this.notifications.length) {
      const [call, taken] = this.notifications.shift()
      this.held -= call.size
      if (call.msgid !== undefined) {
        this.answer(call, null, null)
        continue
      }
      if (taken) this.link.taken(NOTIFICATION, ...taken)
      try {
        await this.invoke(call)
      } catch (error) {
        this.failed(call, error)
      }
    }
    this.notifying = false
    this.rests()
    this.link.pump() // it may be idle now
  }

  /** A notification has failed, and nobody else is told. To be replaced. */
  failed(call, error) { console.error(`viaduct: the notification ${call.method} has failed:`, error) }

  async serve(call, outer) {
    this.running++
    this.served += call.size
    if (outer) outer.served++
    let sent
    try {
      await undefined // not while something is being read
      sent = this.answer(call, null, await this.invoke(call))
    } catch (error) {
      sent = this.answer(call, error ?? new Error(String(error)))
    }
    await sent?.done.promise.catch(() => {}) // so that answers which nobody reads do not pile up
    if (outer) outer.served--
    this.running--
    this.served -= call.size
    this.rests()
  }

  rests() { if (this.link.reason && !this.running && !this.notifying) this.handled.resolve() }

  async invoke(call) {
    if (call.bad) throw new Own(call.bad, { notBegun: true })
    const f = this.methods.get(call.method)
    if (!f) throw new Own(`there is no method ${call.method.slice(0, 400)}`, { notBegun: true })
    if (call.remaining() <= 0) throw new Own("the caller's deadline is over", { names: ['viaduct.ErrTooLate'] })
    let params
    try {
      params = unpack(call.params, MAX_DEPTH + 1)
      if (!Array.isArray(params)) throw new RangeError('they are no array')
    } catch (error) {
      throw new Own(`params that cannot be decoded: ${error.message}`, { notBegun: true })
    }
    return serving.run(call, () => f(...(params.length ? params : [null]), call))
  }

  /** Answers a call, unless it was. Returns what is sent. */
  answer(call, error, result, then) {
    if (this.open_.get(call.msgid) !== call || this.link.reason) return
    this.open_.delete(call.msgid)
    const head = Buffer.from([0x94, 1, 0xce, 0, 0, 0, 0])
    head.writeUInt32BE(call.msgid, 3)
    const respond = (error, result) => Buffer.concat([head, error, result])
    const nil = Buffer.from([0xc0])
    let data
    try {
      data = error === null ? respond(nil, pack(result)) : respond(this.failure(error), nil)
    } catch (problem) {
      data = respond(pack(`the result of ${call.method} cannot be encoded: ${problem.message}`), nil)
    }
    const most = this.remote.max_message
    if (data.length > most) data = respond(pack(`the answer has ${data.length} bytes; the parent takes ${most}`), nil)
    return this.link.send(REPLY, data, then)
  }

  /** What is answered if something went wrong. */
  failure(e) {
    const text = (e instanceof MethodError ? e.message : e?.message || String(e)) || 'unknown error'
    if (!this.link.knows('calls')) return pack(text)
    if (e instanceof DeadlineExceeded) return pack({ text, is: ['context.DeadlineExceeded'] })
    if (e instanceof Cancelled) return pack({ text, is: ['context.Canceled'] })
    if (!(e instanceof MethodError)) return pack(text)
    const own = e instanceof Own
    const is = [...e.names.filter((n) => own || !n.startsWith('viaduct.')), // which are about another call
      ...(own && e.notBegun ? ['viaduct.ErrNotBegun'] : [])]
    const parts = { ...(is.length ? { is } : {}),
      ...(e.code !== undefined || e.data !== undefined ? { error: [e.code ?? 0, e.message, e.data ?? null] } : {}) }
    try {
      return pack(Object.keys(parts).length ? { text, ...parts } : text)
    } catch (problem) {
      return pack(`${text} (its data cannot be sent: ${problem.message})`)
    }
  }

  busy() { return this.pending.size || this.open_.size || this.notifications.length || this.notifying }

  // Streams.

  /** Opens a stream, or the one that the parent has offered by this name. Resolves when it is accepted. */
  async open({ name = 0, timeout } = {}) {
    const { link } = this
    if (!link.knows('streams')) throw new NotSent('the parent does not know streams')
    if (link.reason) throw this.isDown(false)
    if (link.closing || (link.draining && !name)) throw new NotSent('the link is shutting down')
    if ([...link.streams.values()].filter((s) => s.state === 'opening').length >= 256) {
      throw new StreamError('256 streams wait to be accepted')
    }
    const id = link.lastOut = link.lastOut === undefined ? 0 : (link.lastOut + 1) >>> 0
    const s = new Stream(link, 'opening', `true ${id}`, id)
    link.streams.set(s.key, s)
    link.begun++
    link.put(OPEN, id, u32(WINDOW, Number(name)))
    const answered = async () => {
      while (s.state === 'opening' && !link.reason) await s.reading.promise
      if (s.error ?? (s.state === 'opening' && link.reason)) throw s.error ?? this.isDown(false)
      return s
    }
    return within(timeout, answered(), 'the parent has not accepted a stream in time').catch((error) => {
      if (s.state === 'opening') s.reset()
      throw error
    })
  }

  /** Resolves to the next stream that the parent opens. */
  async accept({ timeout } = {}) {
    const { link } = this
    if (link.backlog.length) return link.backlog.shift().accept()
    if (link.reason) throw this.isDown(false)
    if (link.draining || link.closing) throw new NotSent('the link is shutting down')
    const waiting = deferred()
    link.accepting.push(waiting)
    return within(timeout, waiting.promise, 'no stream has come in time').catch((error) => {
      link.accepting = link.accepting.filter((w) => w !== waiting)
      throw error
    })
  }

  /** Returns a name, to be sent in a message, and the stream that the parent gets when it opens it by that. */
  offer() {
    const { link } = this
    if (!link.knows('streams')) throw new NotSent('the parent does not know streams')
    let name
    do name = randomBytes(4).readUInt32LE()
    while (name === 0 || link.offers.has(name))
    const stream = new Stream(link, 'offered', '', 0)
    link.offers.set(name, stream)
    return { name, stream }
  }

  // The end.

  /** Resolves to how long the parent takes to answer, in milliseconds. It does so whatever its methods do. */
  async ping({ timeout } = {}) {
    const [begin, pong, id] = [performance.now(), deferred(), randomBytes(4).readUInt32LE()]
    if (this.link.reason) throw this.isDown(false)
    this.link.pings.set(id, pong)
    this.link.put(PING, id)
    await within(timeout, pong.promise, 'the parent has not answered a ping in time').finally(() => this.link.pings.delete(id))
    return performance.now() - begin
  }

  /**
   * Ends the link when nothing is going on any more on either side: nothing is lost. Not for use in a method, which it
   * would wait for. After the timeout the link ends all the same, and it rejects with DeadlineExceeded.
   */
  async shutdown({ timeout = 30_000 } = {}) {
    const { link } = this
    if (!link.shutting && !link.reason && link.knows('shutdown')) link.put(SHUTDOWN)
    link.shutting = true
    link.drain()
    const late = 'something was still going on'
    const quiet = await within(timeout, link.quiet.promise, late).catch(() => undefined)
    const inOrder = quiet || link.reason?.orderly
    await this.close()
    if (!inOrder) throw link.reason && !link.reason.orderly ? link.reason : new DeadlineExceeded(late)
  }

  /** Ends the link at once. What was accepted for sending goes out before, for which it takes a second at most. */
  async close() {
    const { link } = this
    this.closed = true
    if (!link) return
    link.closing = true
    link.ready = link.ready.filter((x) => !(x instanceof Stream))
    link.pump()
    await within(1000, link.ended.promise, 'not all was sent').catch(() => {
      link.end(new Down('this side has closed the link, and not all was sent', { orderly: false }))
    })
  }

  /** Whether the link has not ended. */
  get up() { return this.link !== undefined && !this.link.reason }

  /**
   * Resolves when the link has ended and, for half a second, when methods that run have ended and what has come is
   * handled: to undefined if the end was orderly, and otherwise to why the link has ended.
   */
  async wait() {
    const reason = await this.link.ended.promise
    if (this.running || this.notifying) await within(500, this.handled.promise).catch(() => {})
    return reason.orderly ? undefined : reason
  }

  /** The link has ended: fails what waits for it. */
  hasEnded() {
    if (!this.link) return // before the hello
    for (const call of this.pending.values()) call.reject(this.isDown(call.message.gone))
    this.pending.clear()
    for (const call of this.open_.values()) call.stop()
    if (this.closed || this.remote.features.includes('detach') || this.options.exitAfter === undefined) return
    setTimeout(() => process.exit(0), this.options.exitAfter).unref() // if the program does not end by itself
  }
}

/** The number of elements of the array b, and where they begin. */
function arrayOf(b) {
  if ((b[0] & 0xf0) === 0x90) return [b[0] & 15, 1]
  const width = { 0xdc: 2, 0xdd: 4 }[b[0]]
  if (width === undefined || b.length < 1 + width) throw new RangeError('no array')
  return [b.readUIntBE(1, width), 1 + width]
}

/** Takes what goes with a call from the map behind its params. Returns the msgid of the call of ours that it serves. */
function readInfo(call, b) {
  const info = b.length <= 16384 ? unpack(b) : null
  const number = (v) => v === undefined || typeof v === 'number' || typeof v === 'bigint'
  if (info?.constructor !== Object || ![info.timeout, info.within, info.size].every(number)
    || (info.meta ?? {}).constructor !== Object) throw new RangeError('what goes with the call is no such map')
  call.meta = info.meta ?? {}
  if (info.timeout !== undefined && call.msgid !== undefined) call.deadline = performance.now() + Number(info.timeout) / 1e6
  return info.within
}

function methodError(e) {
  if (e?.constructor !== Object || typeof e.text !== 'string') {
    const text = typeof e === 'string' ? e : e instanceof Uint8Array ? Buffer.from(e).toString() : JSON.stringify(e)
    return new MethodError(text || 'unknown error')
  }
  const names = Array.isArray(e.is) ? e.is : []
  const [code, , data] = Array.isArray(e.error) && e.error.length >= 3 ? e.error : []
  const notBegun = ['viaduct.ErrNotBegun', 'viaduct.ErrOverload', 'viaduct.ErrTooLate'].some((n) => names.includes(n))
    || (Array.isArray(e.body) && e.body[0] === 'decode' && e.body[1] === 'arguments')
  const kind = names.includes('viaduct.ErrOverload') ? Overload : MethodError
  return new kind(e.text, { code, data, names, panic: e.panic, notBegun })
}
