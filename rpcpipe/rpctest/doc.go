// Package rpctest is for tests of programs that use package rpcpipe: what does mine do when the
// link is slow, cut or damaged, and when the child crashes, hangs or lies?
//
//   - [NewLink] makes a link in memory on which what is to happen happens: bytes come late, slowly and
//     in small pieces, and at a chosen byte or frame the link is cut, stalls, or loses, doubles or
//     damages what it carries. [Pair] connects two Peers by it. The same seed does the same again.
//   - [Child] is a child that answers calls, and misbehaves when it is told to. It is the test binary
//     itself, so no other program is needed: it is enough that the test imports this package.
//   - [NoneLeft] fails a test that leaves a goroutine, a descriptor or a process behind.
//
// Links, and Peers on them, work inside a bubble of testing/synctest, where delays take no time.
package rpctest
