package outbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// CheckURL says what is wrong with the base URL of a destination, and the cure,
// as the rest of a sentence about it. Without allowPrivate a host that is this
// machine or a private address is a *PrivateAddressError. What the name of a host
// leads to is known only when it is called; then the same rule holds.
func CheckURL(raw string, allowPrivate bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("cannot be read; write it as https://host/path")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%q is not complete; write it as https://host/path", u.Redacted())
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("must have no credentials, query or fragment; secrets have settings of their own")
	case !allowPrivate && namesPrivate(u.Hostname()):
		return &PrivateAddressError{u.Hostname()}
	}
	return nil
}

// trimURL returns a base URL without slashes at its end.
func trimURL(base string) string { return strings.TrimRight(base, "/") }

// namesPrivate says whether a host is a private address by itself, without
// asking anybody what a name stands for.
func namesPrivate(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && isPrivate(ip)
}

// PrivateAddressError says that a URL leads to this machine or its own network,
// which no destination may that is not allowed to.
type PrivateAddressError struct {
	Host string // a name or an address
}

// Error implements error.
func (e *PrivateAddressError) Error() string {
	return fmt.Sprintf("leads to the private address %s, and allow_private is false", e.Host)
}

// refusePrivate is a net.Dialer's Control. It sees the address that is about to
// be dialled, so that no answer of a name server gets around it.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to dial: %w", err)
	}
	if isPrivate(to.Addr()) {
		return &PrivateAddressError{to.Addr().String()}
	}
	return nil
}

// privateRanges are what no method of netip.Addr knows of the addresses that are
// not of the public internet (IANA special-purpose address registries). Some
// clouds hand out credentials at 100.100.100.200 and 192.0.0.192.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // this network
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),   // reserved, and broadcast
	netip.MustParsePrefix("::/96"),         // IPv4 in IPv6, its first form
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), // Teredo
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("fec0::/10"), // site-local
}

// nat64 is the prefix under which gateways translate to IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// isPrivate says whether an address leads to this machine or its own network, or
// to nobody in particular.
func isPrivate(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		bytes := ip.As16()
		ip = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return true
	}
	for _, r := range privateRanges {
		if r.Contains(ip) {
			return true
		}
	}
	return false
}

// proxied says whether calls to a URL go through a proxy. Then the address that
// is dialled is the proxy's, which may well be private.
func proxied(base string, proxyOf func(*http.Request) (*url.URL, error)) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	proxy, err := proxyOf(&http.Request{URL: u})
	return err == nil && proxy != nil
}
