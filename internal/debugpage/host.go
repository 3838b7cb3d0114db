package debugpage

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// allows reports whether a request may name host.
//
// A page of another site can have its own name mean 127.0.0.1, and then read what is served there:
// the browser takes it for the same site. But it says the name. So names of this machine are taken,
// which no other site can have, and addresses: to a page at an address the browser shows nothing of
// another one.
func (h *handler) allows(host string) bool {
	name := hostname(host)
	if name == "" {
		return false
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	for _, allowed := range h.Hosts {
		if allowed == "*" || hostname(allowed) == name {
			return true
		}
	}
	return false
}

// hostname returns host without its port, in lower case, "" if it is none.
func hostname(host string) string {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return ""
		}
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// refusal is what is said to a request for a host that is not allowed.
func (h *handler) refusal(host string) string {
	if host == "" {
		return "viaduct: the request names no host. localhost, an address, or a name in " + h.SetHosts + " was expected."
	}
	const most = 100
	if len(host) > most {
		host = host[:most] + "..."
	}
	return fmt.Sprintf("viaduct: the request was made for the host %q, which this page is not served for: "+
		"a page of another site could read it. Use localhost or an address, or allow the name: put it into %s.", host, h.SetHosts)
}
