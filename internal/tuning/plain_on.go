//go:build viaduct_plain

package tuning

const plain = true
