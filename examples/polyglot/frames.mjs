// The sections Hello and Frames of PROTOCOL.md for Node.js, to be copied. The others are in child.mjs.
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { decode, encode } from '@msgpack/msgpack'

export const [CALL, REPLY, ONEWAY, URGENT] = [0, 1, 2, 3] // classes of messages
export const [WHOLE, FIRST, PIECE, ABORT, CREDIT, GRANT] = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24] // kinds; class is added
const [PING, PONG, BYE] = [0x30, 0x31, 0x32] // kinds that have no class
const FRAME = 32768 // the longest payload
const HEAD = FRAME - 8 // bytes of a long message that are in its first frame
const LENGTHS = { [WHOLE]: [1, FRAME], [WHOLE + URGENT]: [1, 64], [FIRST]: [FRAME, FRAME], [PIECE]: [1, FRAME],
  [ABORT]: [0, 0], [CREDIT]: [0, 0], [GRANT]: [0, 0], [PING]: [0, 0] } // of payloads: least and most
const MAX_MESSAGE = 64 << 20 // the largest message that we accept
const WINDOW = 256 << 10 // bytes of a class that the parent may send before we have taken some
const MAGIC = Buffer.from('\xf1VIADUCT', 'latin1')
const ENDED = Object.assign(new Error('the link to the parent has ended'), { code: 'EOF' })

export function check(ok, what) {
  if (!ok) throw new Error(what)
}

// Messages wait for credit, for a grant and for the pipe. The reader waits for none of them, or both sides could wait
// for each other to read.
export class Link {
  queues = [[], [], []] // messages of which nothing was sent, by class
  turns = [REPLY, CALL, ONEWAY] // the class that has waited longest is the first
  long = [] // messages of which a part was sent; that which has waited longest is the first
  begun = 0 // bytes of first and whole frames since the last piece
  credit = [0, 0, 0] // what we may send
  owed = [WINDOW, WINDOW, WINDOW] // what the parent may send, but has not been told of
  arriving = new Map() // long messages, by class and id
  input = Buffer.alloc(0)
  lastId = 0

  // received(c, message, taken) is called for each message, and calls taken when it no longer holds it.
  constructor(received) { this.received = received }

  // Returns when the link has ended: the parent is gone or has closed it, or we have.
  async run([readFd, writeFd]) {
    const input = new Socket({ fd: readFd, readable: true, writable: false })
    this.output = new Socket({ fd: writeFd, readable: false, writable: true })
    this.output.on('drain', () => setImmediate(() => this.pump())) // not at once: there may be something to read
    this.output.on('error', (error) => input.destroy(error))
    this.chunks = input[Symbol.asyncIterator]()
    const timer = setTimeout(() => input.destroy(new Error('no hello within 10 s')), 10_000)
    try {
      await this.hello().finally(() => clearTimeout(timer))
      await this.read()
    } catch (error) {
      if (!['EOF', 'EPIPE', 'ECONNRESET'].includes(error.code)) throw error // these say that the parent is gone
    } finally {
      input.destroy()
      this.output.destroy()
      for (const message of [...this.queues.flat(), ...this.long]) message.done(ENDED)
    }
  }

  // Closes the link in order, upon which the parent does too. What is still being sent does not arrive.
  close() {
    this.put(BYE)
    this.output.end()
  }

  async hello() {
    const nonce = randomBytes(16)
    const map = encode({ pid: process.pid, lang: 'javascript', max_message: MAX_MESSAGE, features: ['methods'], nonce })
    const ours = Buffer.concat([MAGIC, Buffer.from([1, 0, 1, 0, 0, 0, 0, 0]), map])
    ours.writeUInt32LE(map.length, 12)
    this.output.write(ours)
    const head = await this.take(16)
    const [low, high, size] = [head.readUInt16LE(8), head.readUInt16LE(10), head.readUInt32LE(12)]
    check(head.subarray(0, 8).equals(MAGIC) && size <= 16384, 'what the parent says is no hello')
    check(low <= 1 && high >= 1, `the parent speaks protocol versions ${low} to ${high}, this child 1 to 1`)
    const theirs = { encoding: 'msgpack', ...decode(await this.take(size)) }
    check(theirs.encoding === 'msgpack', `the parent's encoding is ${theirs.encoding}, this child's is msgpack`)
    check(theirs.max_message >= 1 && !nonce.equals(theirs.nonce), "the parent's hello is our own, or incomplete")
    this.limit = theirs.max_message
  }

  async take(n) {
    while (this.input.length < n) {
      const { done, value } = await this.chunks.next()
      if (done) throw ENDED
      this.input = Buffer.concat([this.input, value])
    }
    const taken = this.input.subarray(0, n)
    this.input = this.input.subarray(n)
    return taken
  }

  // Sends a message. done is called when all of it is on its way, or with an error if it will not be.
  send(c, data, done = () => {}) {
    const message = { c, data, done, sent: 0, id: 0, granted: false }
    if (this.output.writable) this.queues[c].push(message)
    else done(ENDED)
    this.pump()
    return message
  }

  // Takes a message back. Returns false if all of it has been sent.
  cancel(message) {
    if (message.sent === message.data.length) return false
    if (message.sent > 0) this.put(ABORT + message.c, message.id)
    this.queues[message.c] = this.queues[message.c].filter((m) => m !== message)
    this.long = this.long.filter((m) => m !== message)
    return true
  }

  // Writes what can be sent. Short messages go ahead of pieces, of which there is one after every 64 KiB of them.
  pump() {
    while (this.output.writable && !this.output.writableNeedDrain) {
      const oneway = this.long.some((m) => m.c === ONEWAY) // nothing of its class may pass it
      const c = this.turns.find((c) => this.queues[c].length && this.credit[c] > 0 && !(c === ONEWAY && oneway))
      const granted = this.long.findIndex((m) => m.granted)
      if (granted >= 0 && (c === undefined || this.begun >= 2 * FRAME)) {
        this.begun = 0
        this.sendPart(PIECE, this.long.splice(granted, 1)[0])
      } else if (c !== undefined) {
        this.turns.push(...this.turns.splice(this.turns.indexOf(c), 1))
        const message = this.queues[c].shift()
        const length = this.sendPart(message.data.length > FRAME ? FIRST : WHOLE, message)
        this.begun += length
        this.credit[c] -= length + 32
      } else return
    }
  }

  sendPart(kind, message) {
    let part = message.data.subarray(message.sent, message.sent + (kind === FIRST ? HEAD : FRAME))
    message.sent += part.length
    if (kind === FIRST) {
      message.id = this.lastId = (this.lastId + 1) >>> 0
      part = Buffer.concat([Buffer.alloc(8), part])
      part.writeBigUInt64LE(BigInt(message.data.length))
    }
    this.put(kind + message.c, message.id, part)
    if (message.sent === message.data.length) message.done()
    else this.long.push(message)
    return part.length
  }

  // Writes a frame without waiting.
  put(kind, id = 0, payload = Buffer.alloc(0)) {
    const head = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0])
    head.writeUInt16LE(payload.length, 2)
    head.writeUInt32LE(id, 4)
    if (this.output.writable) this.output.write(Buffer.concat([head, payload]))
  }

  async read() {
    for (const c of [CALL, REPLY, ONEWAY]) this.taken(c, 0)
    for (;;) {
      const head = await this.take(8)
      const [kind, zero, length, id] = [head[0], head[1], head.readUInt16LE(2), head.readUInt32LE(4)]
      const payload = await this.take(length)
      if (kind >= 0x80) continue // need not be known
      const [least, most] = LENGTHS[(kind & 3) === URGENT ? kind : kind & ~3] ?? [1, 0]
      check(zero === 0 && length >= least && length <= most, `a frame of kind ${kind} with ${length} bytes`)
      if (kind === BYE) return
      this.handle(kind, kind & 3, id, payload)
    }
  }

  handle(kind, c, id, payload) {
    const key = `${c} ${id}`
    const long = this.arriving.get(key)
    if (kind === PING) this.put(PONG, id)
    else if (kind === WHOLE + c) this.received(c, payload, () => this.taken(c, payload.length + 32))
    else if (kind === FIRST + c) {
      const total = Number(payload.readBigUInt64LE())
      check(total > FRAME && total <= MAX_MESSAGE && !long, `a long message of ${total} bytes`)
      this.arriving.set(key, { left: total - HEAD, parts: [payload.subarray(8)] })
      this.put(GRANT + c, id) // at once: WINDOW lets the parent begin 8, whose memory we can afford
    } else if (kind === PIECE + c) {
      check(long && payload.length <= long.left, 'a piece of no message')
      long.parts.push(payload)
      long.left -= payload.length
      if (long.left > 0) return
      this.arriving.delete(key)
      this.received(c, Buffer.concat(long.parts), () => this.taken(c, FRAME + 32))
    } else if (kind === ABORT + c) {
      check(this.arriving.delete(key), 'an abort of no message')
      this.taken(c, FRAME + 32)
    } else if (kind === CREDIT + c) {
      this.credit[c] += id
      this.pump()
    } else if (kind === GRANT + c) {
      for (const m of this.long) m.granted ||= m.c === c && m.id === id
      this.pump()
    }
  }

  taken(c, cost) {
    this.owed[c] += cost
    if (this.owed[c] < WINDOW / 2) return
    this.put(CREDIT + c, this.owed[c])
    this.owed[c] = 0
  }
}
