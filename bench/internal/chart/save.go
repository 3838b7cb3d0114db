package chart

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"strings"

	"gonum.org/v1/plot/vg/vgsvg"
)

// save writes the picture, with a title for those who cannot see it, and with fonts of the same
// widths for those who have not the one that was measured.
func save(name, title string, svg *vgsvg.Canvas) error {
	var drawn bytes.Buffer
	if _, err := svg.WriteTo(&drawn); err != nil {
		return err
	}
	text := strings.ReplaceAll(drawn.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	head, body, ok := strings.Cut(text, "<g ")
	if !ok {
		return fmt.Errorf("%s: the drawing is empty", name)
	}
	text = head + "<title>" + html.EscapeString(title) + "</title>\n<g " + body
	return os.WriteFile(name, []byte(text), 0o666)
}
