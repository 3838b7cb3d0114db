// Package mixed has tests that put an earlier version of the library opposite today's, as parent and
// as child. The earlier one, with the protocol as it was before labels of types were taken everywhere,
// offsets of times crossed, notifications were confirmed and a panic was announced, is in
// testdata/before.tar.gz: the sources without tests and examples of commit d8e0289, packed by git
// archive. That a user updates one of two programs is what this is for.
package mixed
