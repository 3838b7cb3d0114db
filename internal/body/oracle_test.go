package body_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shamaton/msgpack/v2"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
)

// The msgpack library reads what is written here and writes what is read here, as it is somebody
// else's: a round trip alone passes when both directions share a mistake.

type oracleInner struct {
	N int16
	S string
}

// oracle has fields of all kinds that the library gets right.
type oracle struct {
	B    bool
	I8   int8
	I64  int64
	U    uint
	U64  uint64
	F32  float32
	F64  float64
	S    string
	Raw  []byte
	List []int32
	Text []string
	Arr  [3]uint16
	M    map[string]int
	MI   map[int64]string
	In   oracleInner
	Ptr  *oracleInner
	Ins  []oracleInner
	C    complex128
	T    time.Time
}

func randomOracle(r *rand.Rand) oracle {
	n := func() int { return r.IntN(40) }
	text := func() string { return string(make([]byte, n())) + "é" + string(rune(r.IntN(0x3000))) }
	o := oracle{
		B: r.IntN(2) == 0, I8: int8(r.Uint64()), I64: int64(r.Uint64() >> r.IntN(64)), U: uint(r.Uint64() >> r.IntN(64)),
		U64: r.Uint64() >> r.IntN(64), F32: r.Float32(), F64: r.NormFloat64(), S: text(), Raw: make([]byte, n()*n()),
		Arr: [3]uint16{uint16(r.Uint64()), 1, 0xffff}, In: oracleInner{int16(r.Uint64()), text()},
		M: map[string]int{}, MI: map[int64]string{}, C: complex(r.NormFloat64(), r.NormFloat64()),
		T: time.Unix(r.Int64N(1<<34), r.Int64N(1_000_000_000)),
	}
	if r.IntN(2) == 0 {
		o.I64 = -o.I64
		o.Ptr = &oracleInner{-1, text()}
	}
	for range n() {
		o.List = append(o.List, int32(r.Uint64()))
		o.Text = append(o.Text, text())
		o.M[text()] = int(int32(r.Uint64()))
		o.MI[int64(r.Uint64())] = text()
		o.Ins = append(o.Ins, oracleInner{int16(r.Uint64()), text()})
	}
	for i := range o.Raw {
		o.Raw[i] = byte(r.Uint64())
	}
	return o
}

var sameTime = cmp.Options{cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }), cmpopts.EquateEmpty()}

func TestOracle(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		in := randomOracle(r)
		for _, arrays := range []bool{false, true} {
			codec := &body.Codec{Arrays: arrays}
			marshal, unmarshal := msgpack.MarshalAsMap, msgpack.UnmarshalAsMap
			if arrays {
				marshal, unmarshal = msgpack.MarshalAsArray, msgpack.UnmarshalAsArray
			}
			ours, err := codec.Append(nil, &in)
			require.NoError(t, err)
			var out oracle
			require.NoError(t, unmarshal(ours, &out), "it reads what is written here")
			require.Empty(t, cmp.Diff(in, out, sameTime))

			theirs, err := marshal(&in)
			require.NoError(t, err)
			out = oracle{}
			require.NoError(t, codec.Decode(theirs, &out), "what it writes is read here")
			require.Empty(t, cmp.Diff(in, out, sameTime))
		}
	}
}

// TestOracleEdges: the ends of each format's range, byte for byte.
func TestOracleEdges(t *testing.T) {
	for _, v := range []any{
		0, -1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, int64(math.MinInt32 - 1), int64(math.MinInt64),
		uint64(127), uint64(128), uint64(255), uint64(256), uint64(65535), uint64(65536), uint64(math.MaxUint32), uint64(math.MaxUint32 + 1), uint64(math.MaxUint64),
		"", string(make([]byte, 31)), string(make([]byte, 32)), string(make([]byte, 255)), string(make([]byte, 256)), string(make([]byte, 65536)),
		make([]byte, 255), make([]byte, 256), make([]byte, 65536), make([]int8, 15), make([]int8, 16), make([]int8, 65536),
		true, false, float32(1.5), 1.5, math.Inf(1), time.Unix(1<<34, 5), time.Unix(1, 0), time.Unix(1, 1), 1 + 2i, complex64(1 + 2i),
	} {
		ours, err := new(body.Codec).Append(nil, v)
		require.NoError(t, err)
		theirs, err := msgpack.MarshalAsMap(v)
		require.NoError(t, err)
		back := reflect.New(reflect.TypeOf(v))
		require.NoError(t, msgpack.UnmarshalAsMap(ours, back.Interface()), "%T", v)
		require.Empty(t, cmp.Diff(v, back.Elem().Interface(), sameTime))
		back = reflect.New(reflect.TypeOf(v))
		require.NoError(t, new(body.Codec).Decode(theirs, back.Interface()), "%T", v)
		require.Empty(t, cmp.Diff(v, back.Elem().Interface(), sameTime))
	}
}
