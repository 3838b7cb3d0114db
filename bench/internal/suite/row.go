package suite

// Row is one line of the comparison: a piece of work, on some processors, and a figure of it for
// each contender.
type Row struct {
	Name   string // of the work, then a dot and the mode's name
	Title  string
	Unit   string
	Lower  bool   // the lower the better
	Base   string // the contender with whose figures those of the others are compared
	Plot   string // the picture that shows it
	Mode   Mode
	Work   *Work
	figure figure
}

// row is what a Work says of one of its rows.
type row struct {
	suffix string // behind the work's name
	title  string // behind the work's title
	unit   string
	lower  bool
	base   string
	plot   string // "calls" is one picture for each mode
	figure figure
}

// Plot is a picture: some rows side by side.
type Plot struct{ Name, Title string }

// Plots are all pictures, in their order.
var Plots = []Plot{
	{"lone", "One small call after another"},
	{"calls-1core", "Small calls from many callers, one core"},
	{"calls-2cores", "Small calls from many callers, two cores"},
	{"calls-all", "Small calls from many callers, not pinned"},
	{"calls-1proc", "Small calls from many callers, GOMAXPROCS=1"},
	{"cpu", "Processor time of a small call, of both processes"},
	{"bytes", "Bytes there and back"},
	{"values", "Values there and back"},
	{"ways", "Both directions at once, and one alone"},
	{"stream", "A stream of bytes"},
	{"beside", "Small calls beside two loops that echo 3 MiB each"},
	{"start", "Start and size"},
	{"memory", "Memory"},
}

// Rows returns the rows of these modes in their order: by plot, then by work, then by mode.
func Rows(modes []Mode, quick bool, children int) []*Row {
	var list []*Row
	works := allWorks(children)
	for _, p := range Plots {
		for i := range works {
			w := &works[i]
			for _, r := range w.rows {
				for _, m := range modes {
					if r.in(m) == p.Name && w.in(m, quick) {
						list = append(list, newRow(w, r, m, p.Name))
					}
				}
			}
		}
	}
	return list
}

// in returns the picture that shows the row in this mode, if there is one.
func (r row) in(m Mode) string {
	switch {
	case r.plot == "calls":
		return r.plot + "-" + m.Name
	case r.plot == "cpu" && m.Name == oneProc:
		return "" // it would be too wide
	}
	return r.plot
}

func newRow(w *Work, r row, m Mode, plot string) *Row {
	row := &Row{
		Name: w.Name + r.suffix, Title: w.title + r.title, Unit: r.unit, Lower: r.lower, Base: r.base,
		Plot: plot, Mode: m, Work: w, figure: r.figure,
	}
	// What lies on no processor in particular is measured in one mode alone, which is not told.
	if w.method != memory && w.method != sizes {
		row.Name += "." + m.Name
		row.Title += ", " + m.Title
	}
	return row
}
