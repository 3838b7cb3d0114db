package debugpage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// duration writes seconds with three digits and a unit: 1.24 ms.
func duration(seconds float64) string {
	switch {
	case seconds <= 0:
		return "0"
	case seconds < 0.9995e-6:
		return digits(seconds*1e9) + " ns"
	case seconds < 0.9995e-3:
		return digits(seconds*1e6) + " µs"
	case seconds < 0.9995:
		return digits(seconds*1e3) + " ms"
	}
	return age(seconds)
}

// age writes seconds as people say how long something has been going on: 4.2 s, 3 min 07 s.
func age(seconds float64) string {
	switch {
	case seconds < 0.9995:
		return fmt.Sprintf("%.0f ms", max(seconds, 0)*1000)
	case seconds < 59.95:
		return digits(seconds) + " s"
	}
	s := int64(math.Round(min(seconds, 1e12)))
	switch {
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d d %02d h", s/86400, s/3600%24)
}

// digits writes x, of less than 1000, with three digits.
func digits(x float64) string {
	switch {
	case x < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// rate writes how many there are in a second.
func rate(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 1000:
		return digits(x)
	}
	return count(uint64(math.Round(x)))
}

// count writes n in groups of three digits.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// size writes a number of bytes.
func size(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "−", -n
	}
	x, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if x < 1023.5 {
			break
		}
		x, unit = x/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%s%d B", sign, n)
	}
	return sign + digits(x) + " " + unit
}

// most is how many characters of a text from elsewhere stand in a cell.
const most = 80

// short returns the beginning of s.
func short(s string) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
