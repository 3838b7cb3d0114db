package framesum

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, lines ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	require.NoError(t, err)
	return b
}

// plainFrames are frames, and what each becomes as the first three of a direction: without hellos, and
// behind those that TestSeed has. The sums were made by another program.
var plainFrames = []struct{ plain, alone, behind string }{
	{"20 00 00 00 40 00 00 00",
		"20 00 00 00 40 00 00 00 94 a0 d6 e4",
		"20 00 00 00 40 00 00 00 97 ed 78 76"},
	{"21 00 00 00 40 00 00 00",
		"21 00 00 00 40 00 00 00 4d d0 e6 5f",
		"21 00 00 00 40 00 00 00 4e 9d 48 cd"},
	{"10 00 05 00 00 00 00 00 68 65 6c 6c 6f",
		"10 00 05 00 00 00 00 00 3d a2 37 7a 56 8e 34 c9 68 65 6c 6c 6f",
		"10 00 05 00 00 00 00 00 3e ef 99 e8 fb e6 42 1a 68 65 6c 6c 6f"},
}

func TestSeed(t *testing.T) {
	a, b := []byte("hello of A"), []byte("hello of B")
	assert.Equal(t, uint32(0x6ed0ebac), Seed(a, b))
	assert.Equal(t, uint32(0xc1fe76ea), Seed(b, a))
	assert.Zero(t, Seed(nil, nil))
}

// put puts sums into frames.
func put(s *Sums, frames []byte) []byte {
	b := append(make([]byte, 0, len(frames)+s.Room(frames)), frames...)
	return s.Put(b)
}

// take checks frames, takes out their sums, and returns how many were right, and why it has ended:
// "" at the end of b.
func take(s *Sums, b []byte) (plain []byte, n int, why string) {
	b = bytes.Clone(b)
	for ; len(b) > 0; n++ {
		if len(b) < Head {
			return plain, n, "cut off"
		}
		size, found, expected := s.CheckHead(b)
		if found != expected {
			return plain, n, "head"
		}
		if len(b) < size {
			return plain, n, "cut off"
		}
		begin, found, expected := s.Take(b[:size])
		if found != expected {
			return plain, n, "payload"
		}
		plain = append(plain, b[begin:size]...)
		b = b[size:]
	}
	return plain, n, ""
}

// TestGolden: one frame at a time, and all at once.
func TestGolden(t *testing.T) {
	for name, seed := range map[string]uint32{"alone": 0, "behind": 0x6ed0ebac} {
		t.Run(name, func(t *testing.T) {
			var plain, want []byte
			each, atOnce := New(seed), New(seed)
			for i, f := range plainFrames {
				sealed := unhex(t, map[string]string{"alone": f.alone, "behind": f.behind}[name])
				assert.Equal(t, sealed, put(each, unhex(t, f.plain)), "frame %d", i)
				plain = append(plain, unhex(t, f.plain)...)
				want = append(want, sealed...)
			}
			assert.Equal(t, want, put(atOnce, plain))
			frame, at := atOnce.Next()
			assert.Equal(t, []uint64{3, uint64(len(want))}, []uint64{frame, at})

			back := New(seed)
			got, n, why := take(back, want)
			assert.Empty(t, why)
			assert.Equal(t, 3, n)
			assert.Equal(t, plain, got)
			assert.Equal(t, atOnce.frame, back.frame)
			assert.Equal(t, atOnce.at, back.at)
		})
	}
}

// TestNeighbours: what is nearly right is not taken.
func TestNeighbours(t *testing.T) {
	const first, second, third = "20 00 00 00 40 00 00 00 94 a0 d6 e4", "21 00 00 00 40 00 00 00 4d d0 e6 5f",
		"10 00 05 00 00 00 00 00 3d a2 37 7a 56 8e 34 c9 68 65 6c 6c 6f"
	for _, tt := range []struct {
		name  string
		lines []string
		n     int // frames that are right
		why   string
	}{
		{"as it is", []string{first, second, third}, 3, ""},
		{"nothing", nil, 0, ""},
		{"lost", []string{first, third}, 1, "head"},
		{"the first lost", []string{second, third}, 0, "head"},
		{"doubled", []string{first, second, second, third}, 2, "head"},
		{"swapped", []string{second, first, third}, 0, "head"},
		{"no sums", []string{"20 00 00 00 40 00 00 00", "21 00 00 00 40 00 00 00"}, 0, "head"},
		{"sums of zero", []string{"20 00 00 00 40 00 00 00 00 00 00 00"}, 0, "head"},
		{"the number in another order", []string{first, "21 00 00 00 40 00 00 00 5f e6 d0 4d"}, 1, "head"},
		{"another length", []string{first, second, "10 00 06 00 00 00 00 00 3d a2 37 7a 56 8e 34 c9 68 65 6c 6c 6f 00"}, 2, "head"},
		{"the sum of the header alone", []string{first, second, "10 00 05 00 00 00 00 00 3d a2 37 7a 3d a2 37 7a 68 65 6c 6c 6f"}, 2, "payload"},
		{"another payload", []string{first, second, "10 00 05 00 00 00 00 00 3d a2 37 7a 56 8e 34 c9 68 65 6c 6c 70"}, 2, "payload"},
		{"of another link", []string{"20 00 00 00 40 00 00 00 97 ed 78 76"}, 0, "head"},
		{"cut in a head", []string{first, "21 00 00 00 40 00 00 00 4d d0 e6"}, 1, "cut off"},
		{"cut in a payload", []string{first, second, "10 00 05 00 00 00 00 00 3d a2 37 7a 56 8e 34 c9 68"}, 2, "cut off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, n, why := take(New(0), unhex(t, tt.lines...))
			assert.Equal(t, tt.n, n)
			assert.Equal(t, tt.why, why)
		})
	}
}

// TestEveryBit: each bit of frames turned over is found before its frame counts.
func TestEveryBit(t *testing.T) {
	var plain []byte
	for i, n := range []int{0, 1, 7, 300, 0, 2000} {
		plain = append(plain, 0x42, 0, 0, 0, byte(i), 0, 0, 0)
		binary.LittleEndian.PutUint16(plain[len(plain)-6:], uint16(n))
		for j := range n {
			plain = append(plain, byte(i+j))
		}
	}
	sealed := put(New(5), plain)
	var ends []int
	for at := 0; at < len(sealed); {
		n := int(binary.LittleEndian.Uint16(sealed[at+2:]))
		at += header + Of(n) + n
		ends = append(ends, at)
	}
	for bit := range 8 * len(sealed) {
		b := bytes.Clone(sealed)
		b[bit/8] ^= 1 << (bit % 8)
		_, n, why := take(New(5), b)
		of := 0
		for ends[of] <= bit/8 {
			of++
		}
		if n != of || why != "head" && why != "payload" {
			t.Fatalf("bit %d, of frame %d: %d frames are taken, then %q", bit, of, n, why)
		}
	}
}

// TestManyFrames: however many there are, they come out as they went in.
func TestManyFrames(t *testing.T) {
	in, out := New(9), New(9)
	for _, count := range []int{1, 2, keepBegins + 1, 1, 3} {
		var plain []byte
		for i := range count {
			plain = append(plain, 0x42, 0, byte(i%5), 0, 0, 0, 0, 0)
			plain = append(plain, "abcde"[:i%5]...)
		}
		got, n, why := take(out, put(in, plain))
		require.Empty(t, why)
		require.Equal(t, count, n)
		require.Equal(t, plain, got)
	}
	require.LessOrEqual(t, cap(in.begins), keepBegins)
}

// TestAgreed: both sides come to the same answer.
func TestAgreed(t *testing.T) {
	knows, asks, others := Features(false), Features(true), []string{"streams", "crc32", "crc32c-"}
	for _, tt := range []struct {
		a, b []string
		want bool
	}{
		{knows, knows, false},
		{asks, knows, true},
		{asks, asks, true},
		{asks, nil, false},
		{asks, others, false},
		{[]string{Asked}, asks, false},
		{nil, nil, false},
	} {
		assert.Equal(t, tt.want, Agreed(tt.a, tt.b), fmt.Sprint(tt.a, tt.b))
		assert.Equal(t, tt.want, Agreed(tt.b, tt.a), fmt.Sprint(tt.b, tt.a))
	}
}

// TestNothingAllocated: sums cost no memory.
func TestNothingAllocated(t *testing.T) {
	in, out := New(1), New(1)
	buf := make([]byte, 0, 100)
	plain := unhex(t, plainFrames[2].plain)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		b := append(buf, plain...)
		if n := len(b) + in.Room(b); n > cap(b) {
			t.Fatal(n)
		}
		b = in.Put(b)
		if size, found, expected := out.CheckHead(b); found != expected || size != len(b) {
			t.Fatal(size, found, expected)
		}
		if begin, found, expected := out.Take(b); found != expected || begin != 8 {
			t.Fatal(begin, found, expected)
		}
	}))
}

// FuzzTake: whatever comes, what is taken is what somebody has put sums into.
func FuzzTake(f *testing.F) {
	var all, behind []byte
	for _, frame := range plainFrames {
		all = append(all, unhex(f, frame.alone)...)
		behind = append(behind, unhex(f, frame.behind)...)
	}
	f.Add(uint32(0), all)
	f.Add(uint32(0x6ed0ebac), behind)
	f.Add(uint32(1), all)
	f.Fuzz(func(t *testing.T, seed uint32, b []byte) {
		plain, n, _ := take(New(seed), b)
		again := New(seed)
		sealed := put(again, plain)
		if !bytes.HasPrefix(b, sealed) {
			t.Fatalf("% x was taken as % x", b, plain)
		}
		if frame, at := again.Next(); frame != uint64(n) || at != uint64(len(sealed)) {
			t.Fatalf("%d frames of %d bytes, counted %d of %d", n, len(sealed), frame, at)
		}
	})
}
