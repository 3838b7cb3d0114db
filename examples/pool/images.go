package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
)

const signature = "\x89PNG\r\n\x1a\n"

// makeImages makes n images, and says of which nothing good is to be expected.
func makeImages(n int) (images [][]byte, bad map[int]bool, err error) {
	bad = make(map[int]bool)
	encoder := &png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: new(buffer)}
	for i := range n {
		var data []byte
		switch i {
		case n / 8, n / 4, n / 2: // it takes 2 GiB to be drawn, which it does not have
			data = append([]byte(signature), header(16_000, 16_000)...)
			data = append(data, chunk("IEND", nil)...)
		case n * 5 / 8: // this chunk and its sum have 2^32 bytes: who adds them in 32 bits does not get on
			data = append([]byte(signature), header(8, 8)...)
			data = append(data, 0xff, 0xff, 0xff, 0xf4, 'l', 'o', 'o', 'p')
		case n * 3 / 4: // this chunk ends far behind the data
			data = append([]byte(signature), header(8, 8)...)
			data = append(data, 0x7f, 0xff, 0xff, 0xff, 'f', 'a', 'r', ' ')
		default:
			data, err = makeImage(encoder, i)
			if err != nil {
				return nil, nil, err
			}
			images = append(images, data)
			continue
		}
		bad[i] = true
		images = append(images, data)
	}
	return images, bad, nil
}

// size is the width and height of an image, from its number.
func size(i int) (width, height int) { return 24 + i%16, 32 }

func name(i int) string { return fmt.Sprintf("image %d", i) }

// A buffer is one of an encoder, which is used again.
type buffer struct{ *png.EncoderBuffer }

func (b *buffer) Get() *png.EncoderBuffer  { return b.EncoderBuffer }
func (b *buffer) Put(e *png.EncoderBuffer) { b.EncoderBuffer = e }

// makeImage makes an image that has a title.
func makeImage(encoder *png.Encoder, i int) ([]byte, error) {
	width, height := size(i)
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(x * i), G: uint8(y + i), B: uint8(x * y), A: 255})
		}
	}
	var encoded bytes.Buffer
	if err := encoder.Encode(&encoded, img); err != nil {
		return nil, err
	}
	first := len(signature) + len(header(0, 0)) // the rest comes behind the title
	return slices.Insert(encoded.Bytes(), first, chunk("tEXt", []byte(name(i)))...), nil
}

// header returns the first chunk of an image: its size, and that it has 8 bits a colour.
func header(width, height uint32) []byte {
	data := binary.BigEndian.AppendUint32(nil, width)
	data = binary.BigEndian.AppendUint32(data, height)
	return chunk("IHDR", append(data, 8, 2, 0, 0, 0))
}

// chunk returns a chunk with its length before it and its sum behind.
func chunk(kind string, data []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, kind...), data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}
