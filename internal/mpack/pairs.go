package mpack

import "fmt"

// EachPair reads the map at the start of b, whose keys are str, and calls f for each of its pairs,
// in order, with the key and with all bytes of the value. Skip has checked these: they are one
// value, whose arrays and maps nest at most maxDepth levels. So f may leave a value alone, which is
// how readers pass over keys that a later peer has added. Both slices alias b.
//
// It returns the bytes behind the map. It ends at the first error: f's own is returned as it is. It
// does not allocate, unless an error is to be told or a value nests deeper than 16 levels.
func EachPair(b []byte, maxDepth int, f func(key, value []byte) error) (rest []byte, err error) {
	n, b, err := ReadMap(b)
	if err != nil {
		return nil, err
	}
	for range n {
		key, behind, err := ReadString(b)
		if err != nil {
			return nil, fmt.Errorf("a key of the map: %w", err)
		}
		size, err := Skip(behind, maxDepth)
		if err != nil {
			return nil, fmt.Errorf("value of %.20q: %w", key, err)
		}
		if err := f(key, behind[:size:size]); err != nil {
			return nil, err
		}
		b = behind[size:]
	}
	return b, nil
}
