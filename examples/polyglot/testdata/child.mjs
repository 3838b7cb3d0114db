// The child of the tests in examples/polyglot*_test.go; there is one in each language. It tries all of viaduct.mjs.
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { Peer, ProtocolError, ViaductError, MethodError, current } from '../node/viaduct.mjs'

const peer = new Peer({ name: 'test', version: '1.2', maxMessage: 32 << 20,
  ...(process.argv[2] ? { maxCalls: Number(process.argv[2]) } : {}) })
const notes = []
const cut = []
const ours = (error) => { if (!(error instanceof ViaductError)) throw error }

// What a caller sees of an error.
function describe(e) {
  ours(e)
  const { code = null, data = null, names = [] } = e
  return { kind: e.name, text: e.message, notBegun: e.notBegun, code, data, names }
}

const TABLE = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n >>> 0
})
function crc32(chunk, crc) {
  crc = ~crc
  for (const b of chunk) crc = TABLE[(crc ^ b) & 255] ^ (crc >>> 8)
  return ~crc >>> 0
}

peer.method('T.Echo', (value) => value)
peer.method('T.Relay', (value) => peer.call('P.Echo', [value]))
peer.method('T.Nest', async (n) => (n ? 1 + await peer.call('P.Nest', [{ N: n - 1 }]) : 0))
peer.method('T.Note', (n) => { notes.push(n) })
peer.method('T.Notes', () => notes)
peer.method('T.Tell', async (n) => {
  for (let i = 0; i < n; i++) await peer.notify('P.Note', [i])
  await peer.sync()
})
peer.method('T.Fetch', async (n) => {
  const data = randomBytes(n)
  return data.equals(await peer.call('P.Echo', [data]))
})
peer.method('T.Wait', async (_, call) => {
  await peer.notify('P.Event', ['waiting'])
  if (!call.signal.aborted) await new Promise((resolve) => { call.signal.addEventListener('abort', resolve) })
  await peer.notify('P.Event', ['cancelled'])
})
// What the method knows of its call.
peer.method('T.About', () => ({ left: current().remaining() === undefined ? null : current().remaining() / 1000, meta: current().meta }))
// What calls of the parent fail with.
peer.method('T.Try', (what) => ({
  fail: () => peer.call('P.Fail', [null]),
  none: () => peer.call('P.Nothing', [null]),
  late: () => peer.call('P.Hold', [null], { timeout: 50 }),
  large: () => peer.call('P.Echo', [new Uint8Array(65 << 20)]),
  unencodable: () => peer.call('P.Echo', [Symbol('x')]),
})[what]().catch(describe))
// Is called one way: its calls are not nested, and the parent refuses some.
peer.method('T.Flood', async () => {
  const error = await Promise.all(Array.from({ length: 9 }, () => peer.call('P.Hold', [null]))).catch((e) => e)
  await peer.notify('P.Event', [`${error.name} ${error.notBegun}`.toLowerCase()])
})
peer.method('T.Fail', async ({ How: kind }) => {
  if (kind === 'typed') {
    throw new MethodError('bad', { code: -7, data: { a: [1, 'two'] }, names: ['io.EOF', 'viaduct.ErrOverload'] })
  }
  if (kind === 'passed') await peer.call('P.Nothing', [null])
  if (kind === 'result') return Symbol('x')
  if (kind === 'large') return new Uint8Array(65 << 20)
  throw new RangeError('plain')
})
peer.method('T.Hold', (value) => peer.call('P.Hold', [value]))
// Says what a call ends with when the link does.
peer.method('T.Doomed', () => peer.call('P.Hold', [null]).catch((e) => console.error('ended:', e.name, e.notBegun)))
peer.method('T.Leave', () => peer.close())
peer.method('T.Noise', () => {
  console.log('x'.repeat(10_000))
  process.stdout.write('noise\n')
})
peer.method('T.Ping', async () => await peer.ping({ timeout: 60_000 }) >= 0)

// Streams.

// Sends back what comes on the streams that the parent opens.
async function serveStreams() {
  for (;;) {
    const stream = await peer.accept()
    const serve = async () => {
      for await (const chunk of stream) await stream.write(chunk)
      await stream.close()
    }
    serve().catch(ours)
  }
}

const pattern = (n) => Buffer.alloc(n, Uint8Array.from({ length: 251 }, (_, i) => i))

// Opens a stream, sends n bytes while it reads them back, and returns the checksum of what came.
peer.method('T.Open', async (n) => {
  const stream = await peer.open()
  const sending = stream.write(pattern(n)).then(() => stream.closeWrite())
  let crc = 0
  for await (const chunk of stream) crc = crc32(chunk, crc)
  await sending
  await stream.close()
  return crc
})
// Reads the stream that the parent has offered, and says how many bytes came and what then.
peer.method('T.Read', async (name) => {
  const stream = await peer.open({ name })
  await peer.notify('P.Event', ['opened'])
  let n = 0
  try {
    for await (const chunk of stream) n += chunk.length
  } catch (e) {
    ours(e)
    console.error('read:', e.name)
    return [n, e.name]
  }
  await stream.close()
  return [n, 'end']
})
// Writes to what the parent has offered until that fails.
peer.method('T.Write', async (name) => {
  const stream = await peer.open({ name })
  for (let n = 0; ; n += 1000) {
    try {
      await stream.write(new Uint8Array(1000))
    } catch (e) {
      ours(e)
      await stream.close()
      return [n, e.name]
    }
  }
})
// Offers a stream with a megabyte, and ends it in this way.
peer.method('T.Offer', (how) => {
  const { name, stream } = peer.offer()
  const send = {
    empty: () => stream.closeWrite(),
    end: async () => { await stream.write(pattern(1 << 20)); await stream.close() },
    reset: async () => { await stream.write(pattern(100_000)); stream.reset() },
    die: async () => { await stream.write(pattern(100_000)); process.exit(3) },
    cut: () => { // it is closed while a write waits
      const writing = stream.write(pattern(10 << 20))
      cut.push([stream, writing])
      return writing.then(() => console.error('a write that was cut has succeeded'))
    },
    leave: async () => { await stream.write(pattern(100_000)); await peer.close() },
  }[how]
  send().catch(ours)
  return name
})
peer.method('T.Cut', async () => {
  const [stream, writing] = cut.pop()
  await stream.close()
  await writing.catch(ours)
})
peer.method('T.TakeBack', async () => {
  const { name, stream } = peer.offer()
  await stream.close()
  return name
})
peer.method('T.Refused', (name) => peer.open({ name }).catch(describe))
// Opens a stream that nobody accepts.
peer.method('T.Unanswered', () => peer.open({ timeout: 50 }).catch(describe))

// The end.

// Ends the link, but not from a method, which it would wait for.
peer.method('T.Shutdown', () => { peer.shutdown({ timeout: 60_000 }).catch((e) => console.error('shutdown:', e.message)) })

await peer.connect()
serveStreams().catch(ours)
const error = await peer.wait()
if (error instanceof ProtocolError) writeSync(2, `the link was ended: ${error.message}\n`)
process.exit(error instanceof ProtocolError ? 1 : 0)
