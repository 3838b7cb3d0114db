package chart

import (
	"image/color"

	weight "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// The colours stand out from white and from black alike.
var (
	ink    = color.RGBA{0x76, 0x7d, 0x86, 0xff} // of text
	spread = color.RGBA{0x5a, 0x61, 0x6a, 0xff} // of the lines over the middle half of the rounds
	ours   = color.RGBA{0x2f, 0x81, 0xf7, 0xff} // of viaduct's bars
	theirs = color.RGBA{0x9a, 0xa3, 0xad, 0xff} // of all others
)

// The kinds of text.
var (
	plain = style(9)
	right = aligned(plain, text.XRight, middle)
	bold  = heavy(style(13))
	under = aligned(style(9), text.XLeft, text.YTop)
	upper = heavy(under)
	small = aligned(style(7.5), text.XLeft, text.YBottom)
)

// middle is the middle of the small letters.
const middle = -0.38

func style(size float64) text.Style {
	return text.Style{
		Color:   ink,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)},
		Handler: plot.DefaultTextHandler,
		XAlign:  text.XLeft,
		YAlign:  middle,
	}
}

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

func heavy(s text.Style) text.Style {
	s.Font.Weight = weight.WeightBold
	s.YAlign = text.YTop
	return s
}
