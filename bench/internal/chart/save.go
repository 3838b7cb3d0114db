package chart

import (
	"bytes"
	"fmt"
	"html"
	"os"

	"gonum.org/v1/plot/vg/vgsvg"
)

// save writes the picture, with a title for those who cannot see it.
func save(name, title string, svg *vgsvg.Canvas) error {
	var text bytes.Buffer
	if _, err := svg.WriteTo(&text); err != nil {
		return err
	}
	i := bytes.Index(text.Bytes(), []byte("<g "))
	if i < 0 {
		return fmt.Errorf("%s: the drawing has no beginning", name)
	}
	whole := append([]byte{}, text.Bytes()[:i]...)
	whole = fmt.Appendf(whole, "<title>%s</title>\n", html.EscapeString(title))
	whole = append(whole, text.Bytes()[i:]...)
	return os.WriteFile(name, whole, 0o666)
}
