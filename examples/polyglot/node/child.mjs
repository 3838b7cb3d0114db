#!/usr/bin/env node
// A child of a viaduct parent, as an example: go run ./examples/polyglot starts it, and calls what is here.
import { NotAChild, Peer, ProtocolError } from './viaduct.mjs'

const peer = new Peer({ types: [{ name: 'Division', fields: ['A', 'B'].map((name) => ({ name, type: 'float64' })) }] })

peer.method('Child.Greet', (name) => `hello, ${name}, from ${process.argv[2]}`, { arg: 'string', reply: 'string' })

peer.method('Child.Divide', ({ A, B }) => {
  if (B === 0) throw new RangeError('division by zero')
  return A / B
}, { arg: 'Division', reply: 'float64', doc: 'Divides A by B.' })

peer.method('Child.Echo', (data) => data, { arg: 'bytes', reply: 'bytes' })

// Before it returns, it calls the parent.
peer.method('Child.Relay', (data) => peer.call('Parent.Echo', [data]), { arg: 'bytes', reply: 'bytes' })

// Is called one way, and so calls the parent.
peer.method('Child.Tell', (word) => peer.notify('Parent.Tell', [word.toUpperCase()]), { arg: 'string' })

peer.method('Child.Wait', async (_, call) => {
  await peer.notify('Parent.Tell', ['waiting'])
  if (!call.signal.aborted) await new Promise((resolve) => { call.signal.addEventListener('abort', resolve) })
  if (peer.up) await peer.notify('Parent.Tell', ['stopped'])
}, { doc: 'Returns only when it is cancelled.' })

peer.method('Child.Hurry', () => peer.call('Parent.Wait', [null], { signal: AbortSignal.timeout(100) }).catch((error) => {
  if (error.cause?.name === 'TimeoutError') return 'gave up'
  throw error
}), { reply: 'string', doc: 'Calls the parent, and cancels the call when it has taken 0.1 s.' })

peer.method('Child.Leave', () => peer.close())

try {
  await peer.connect()
} catch (error) {
  if (!(error instanceof NotAChild)) throw error
  console.error(`${error.message}; go run ./examples/polyglot starts it`)
  process.exit(2)
}
const error = await peer.wait()
if (error instanceof ProtocolError) console.error(`the link was ended: ${error.message}`)
process.exit(error instanceof ProtocolError ? 1 : 0) // whatever methods of ours still wait for
