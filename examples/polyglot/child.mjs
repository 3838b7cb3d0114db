#!/usr/bin/env node
// A child of a viaduct parent, in Node.js 18 or later, with the package @msgpack/msgpack (which reads integers beyond
// 2^53 as the nearest number). Peer, and Link in frames.mjs, are PROTOCOL.md, to be copied. The service is an example.
import { closeSync, fstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeMulti, encode } from '@msgpack/msgpack'
import { CALL, check, Link, ONEWAY, REPLY, URGENT, WHOLE } from './frames.mjs'

// Takes the two words that tell a child of its link out of process.argv. Returns undefined if this is no child.
function inherited() {
  for (let i = 2; i + 1 < process.argv.length; i++) {
    const [version, place] = process.argv.slice(i, i + 2)
    if (!/^viaduct\.[0-9]+$/.test(version) || !/^[a-z]+:/.test(place)) continue
    process.argv.splice(i, 2)
    const match = /^fd:([1-9][0-9]*),([1-9][0-9]*)(?:,([1-9][0-9]*))?$/.exec(place)
    check(version === 'viaduct.1' && match, `cannot use ${version} ${place}`)
    const fds = match.slice(1, 3).map(Number)
    check(Math.min(...fds) > 2 && fds[0] !== fds[1], `cannot use ${place}`)
    check(fds.every((fd) => fstatSync(fd).isFIFO()), `${place} are not two pipes`)
    if (match[3]) closeSync(Number(match[3])) // for the crashes of Go programs
    // Node cannot make them close-on-exec, but does so when it starts, for the first 16 descriptors at least.
    return fds
  }
}

// What a method of the parent failed with.
class RemoteError extends Error {}

// Calls the parent and is called by it. methods are functions by name; they get the argument of the call, and an
// AbortSignal for when the parent cancels it.
class Peer {
  link = new Link((...message) => this.received(...message))
  pending = new Map() // our calls, by msgid
  serving = new Map() // AbortControllers of the parent's calls, by msgid
  oneways = Promise.resolve() // the end of the parent's one-way calls so far
  lastId = 0

  constructor(methods) {
    this.methods = methods
  }

  // Returns when the link has ended, and so should the program.
  async run(fds) {
    try {
      await this.link.run(fds)
    } finally {
      for (const controller of this.serving.values()) controller.abort()
      for (const { reject } of this.pending.values()) reject(new Error('the link to the parent has ended'))
    }
  }

  // Calls a method of the parent. The signal cancels the call.
  async call(method, arg, signal) {
    signal?.throwIfAborted()
    do this.lastId = (this.lastId + 1) >>> 0
    while (this.pending.has(this.lastId))
    const msgid = this.lastId
    const data = this.pack(0, msgid, method, [arg])
    let abort
    try {
      return await new Promise((resolve, reject) => {
        this.pending.set(msgid, { resolve, reject })
        const message = this.link.send(CALL, data, (error) => error && reject(error))
        abort = () => {
          if (this.link.cancel(message)) this.pending.delete(msgid)
          else this.link.put(WHOLE + URGENT, 0, this.pack(2, '$/cancel', [msgid])) // the answer is still to come
          reject(signal.reason)
        }
        signal?.addEventListener('abort', abort)
      })
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  // Calls one way. Returns when all of it is on its way.
  notify(method, arg) {
    const data = this.pack(2, method, [arg])
    return new Promise((resolve, reject) => {
      this.link.send(ONEWAY, data, (error) => (error ? reject(error) : resolve()))
    })
  }

  pack(...message) {
    const data = encode(message, { maxDepth: 1000 })
    check(data.length <= this.link.limit, `a message of ${data.length} bytes; the parent accepts ${this.link.limit}`)
    return data
  }

  received(c, message, taken) {
    // One element after the other: params that cannot be decoded are an error of their call alone.
    const [size, header] = message[0] === 0xdc ? [message.readUInt16BE(1), 3]
      : message[0] === 0xdd ? [message.readUInt32BE(1), 5] : [message[0] - 0x90, 1]
    const elements = decodeMulti(message.subarray(header))
    const element = () => elements.next().value
    const sizes = [[4, 5], [4], [3, 4], [3, 4]][c]
    check(sizes.includes(size) && element() === Math.min(c, 2), 'a message in the class of another')
    if (c === ONEWAY) {
      this.oneways = this.oneways.then(() => {
        taken()
        return this.invoke(element)
      }).catch((error) => console.error('a one-way call has failed:', String(error)))
      return
    }
    if (c === URGENT) return this.cancel(element)
    taken()
    const msgid = element()
    if (c === CALL) return this.serve(msgid, element)
    const call = this.pending.get(msgid)
    this.pending.delete(msgid)
    try {
      const error = element()
      if (error !== null) call?.reject(new RemoteError(typeof error === 'string' ? error : JSON.stringify(error)))
      else call?.resolve(element())
    } catch (error) {
      call?.reject(error)
    }
  }

  async serve(msgid, element) {
    const controller = new AbortController()
    this.serving.set(msgid, controller)
    try {
      this.answer(msgid, controller, null, await this.invoke(element, controller.signal))
    } catch (error) {
      this.answer(msgid, controller, error?.message || String(error))
    }
  }

  cancel(element) {
    check(element() === '$/cancel', 'another message than a cancel in class urgent')
    const [msgid] = element()
    const controller = this.serving.get(msgid)
    if (controller === undefined) return // it has been answered
    this.answer(msgid, controller, 'cancelled') // at once, although the method may go on for a while
    controller.abort()
  }

  answer(msgid, controller, error, result) {
    const data = this.pack(1, msgid, error, result)
    if (this.serving.get(msgid) !== controller) return // it has been answered
    this.serving.delete(msgid)
    this.link.send(REPLY, data)
  }

  async invoke(element, signal) {
    const [method, params] = [element(), element()]
    check(Object.hasOwn(this.methods, method), `there is no method ${method}`)
    check(Array.isArray(params), 'params are no array')
    return this.methods[method](params[0], signal)
  }
}

// What a parent is told that asks what there is to call: the section Listing of PROTOCOL.md.
const about = {
  'Child.Divide': ['Division', 'float64', 'Divides A by B.'],
  'Child.Echo': ['bytes', 'bytes'],
  'Child.Greet': ['string', 'string'],
  'Child.Hurry': ['any', 'string', 'Calls the parent, and cancels the call when it has taken 0.1 s.'],
  'Child.Leave': ['any', 'any'],
  'Child.Relay': ['bytes', 'bytes'],
  'Child.Tell': ['string', 'any'],
  'Child.Wait': ['any', 'any', 'Returns only when it is cancelled.'],
}

const peer = new Peer({
  '$/methods': () => ({
    methods: Object.entries(about).map(([name, [arg, reply, doc = '']]) => ({ name, arg, reply, doc })),
    types: [{ name: 'Division', fields: ['A', 'B'].map((name) => ({ name, type: 'float64' })) }],
  }),
  'Child.Greet': (name) => `hello, ${name}, from ${process.argv[2]}`,
  'Child.Divide': ({ A, B }) => {
    if (B === 0) throw new RangeError('division by zero')
    return A / B
  },
  'Child.Echo': (data) => data,
  // Calls the parent back before it returns.
  'Child.Relay': (data, signal) => peer.call('Parent.Echo', data, signal),
  // Is called one way, and so calls the parent.
  'Child.Tell': (word) => peer.notify('Parent.Tell', word.toUpperCase()),
  'Child.Wait': async (_, signal) => {
    await peer.notify('Parent.Tell', 'waiting')
    await sleep(3600_000, null, { signal }).finally(() => peer.notify('Parent.Tell', 'stopped'))
  },
  'Child.Hurry': () => peer.call('Parent.Wait', null, AbortSignal.timeout(100)).catch((error) => {
    if (error.name === 'TimeoutError') return 'gave up'
    throw error
  }),
  'Child.Leave': () => peer.link.close(),
})

const fds = inherited() // before the program looks at its arguments
if (fds === undefined) {
  console.error('this is a child: its parent is started by go run ./examples/polyglot')
  process.exit(2)
}
await peer.run(fds)
process.exit() // whatever methods of ours still wait for
