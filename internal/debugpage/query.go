package debugpage

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A query is what a request asks for.
type query struct {
	format  string // "": the page
	peer    string // that alone is shown; "": all
	sort    string // name of a column
	order   string // orderUp, orderDown, or "", which is up to the column
	refresh int    // seconds; 0: the page stays as it is
}

const (
	formatJSON       = "json"
	formatPrometheus = "prometheus"

	sortDefault        = "total"
	orderUp, orderDown = "up", "down"
	mostRefresh        = 3600
)

// parseQuery reads a query. What it does not know it leaves aside.
func parseQuery(v url.Values) (q query, err error) {
	q = query{format: v.Get("format"), peer: v.Get("peer"), sort: v.Get("sort"), order: v.Get("order")}
	switch q.format {
	case "", formatJSON, formatPrometheus:
	default:
		return q, fmt.Errorf("there is no format %.40q: json and prometheus were expected, or none for the page", q.format)
	}
	switch q.order {
	case "", orderUp, orderDown:
	default:
		return q, fmt.Errorf("there is no order %.40q: up or down was expected", q.order)
	}
	if q.sort == "" {
		q.sort = sortDefault
	}
	if columns[q.sort] == nil {
		return q, fmt.Errorf("there is no column %.40q to sort by: %s were expected", q.sort, strings.Join(slices.Sorted(maps.Keys(columns)), ", "))
	}
	if s := v.Get("refresh"); s != "" {
		if q.refresh, err = strconv.Atoi(s); err != nil || q.refresh < 0 || q.refresh > mostRefresh {
			return q, fmt.Errorf("refresh is %.40q: a number of seconds was expected, 1 to %d, or 0 for none", s, mostRefresh)
		}
	}
	return q, nil
}

// link returns the query of a link to the same page but for what change changes.
func (q query) link(change func(*query)) string {
	change(&q)
	v := url.Values{}
	set := func(key, value string, isSet bool) {
		if isSet {
			v.Set(key, value)
		}
	}
	set("format", q.format, q.format != "")
	set("peer", q.peer, q.peer != "")
	set("sort", q.sort, q.sort != sortDefault)
	set("order", q.order, q.order != "")
	set("refresh", strconv.Itoa(q.refresh), q.refresh != 0)
	return "?" + v.Encode()
}
