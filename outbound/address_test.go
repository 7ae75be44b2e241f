package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

func TestIsPrivate(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1": true, "127.255.255.254": true, "::1": true, // this machine
		"10.0.0.1": true, "172.16.0.1": true, "172.31.255.255": true, "192.168.1.1": true, "fd00:ec2::254": true, // own networks
		"169.254.169.254": true, "fe80::1": true, "fe80::1%eth0": true, "fec0::1": true, // links and sites
		"100.64.0.1": true, "100.100.100.200": true, "192.0.0.192": true, "198.18.0.1": true, // carriers and clouds
		"0.0.0.0": true, "0.1.2.3": true, "::": true, "224.0.0.1": true, "ff02::1": true, "255.255.255.255": true, "240.0.0.1": true,
		"::ffff:127.0.0.1": true, "::ffff:10.1.2.3": true, "::127.0.0.1": true, "64:ff9b::7f00:1": true, "64:ff9b::a9fe:a9fe": true, // IPv4 inside
		"64:ff9b:1::1": true, "2002:7f00:1::1": true, "2001::1": true,

		"8.8.8.8": false, "172.15.0.1": false, "172.32.0.1": false, "100.63.255.255": false, "100.128.0.1": false, "11.0.0.1": false,
		"169.253.0.1": false, "192.0.1.1": false, "223.255.255.255": false, "2606:4700::1111": false, "2001:4860:4860::8888": false,
		"::ffff:8.8.8.8": false, "64:ff9b::808:808": false,
	} {
		if got := isPrivate(netip.MustParseAddr(address)); got != want {
			t.Errorf("isPrivate(%s) = %t, want %t", address, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for url, private := range map[string]bool{
		"https://api.getvero.com/api/v2": false, "https://8.8.8.8": false, "http://local.example.com": false, "https://[2606:4700::1111]:8443/x": false,
		"http://127.0.0.1:8082/api/v2": true, "http://localhost": true, "http://vero.localhost:80": true, "http://[::1]:80": true,
		"https://169.254.169.254/latest/meta-data": true, "http://[fe80::1%25eth0]/": true, "http://[::ffff:10.0.0.1]/": true,
	} {
		var refused *PrivateAddressError
		err := CheckURL(url, false)
		if errors.As(err, &refused) != private || !private && err != nil {
			t.Errorf("CheckURL(%s) = %v, want it private: %t", url, err, private)
		}
		if err := CheckURL(url, true); err != nil {
			t.Errorf("CheckURL(%s) where private addresses are allowed: %v", url, err)
		}
	}
}

// A name is judged by what it leads to when it is called: no request goes out,
// and everything is kept.
func TestPrivateAddressIsNotCalled(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(web.Close)
	v, err := NewVero(VeroOptions{Name: "vero", AuthToken: secret})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSegment(SegmentOptions{Name: "posthog", URL: "https://posthog.example.com", WriteKey: "relay-key"})
	if err != nil {
		t.Fatal(err)
	}
	v.url, s.url = web.URL, web.URL // as if their names led here
	batch := []event.Event{track(t, "m-1", "1", "A")}
	for name, o := range map[string]string{
		"vero":    verdict(v.Deliver(t.Context(), batch)[0]),
		"segment": verdict(s.Deliver(t.Context(), batch)[0]),
	} {
		if o != "unavailable private_address" {
			t.Errorf("%s: %s", name, o)
		}
	}
	if detail := v.Deliver(t.Context(), batch)[0].Detail(); !strings.Contains(detail, "127.0.0.1") || !strings.Contains(detail, "allow_private") {
		t.Errorf("detail does not name the address and the setting: %s", detail)
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls to a private address", calls.Load())
	}
}

// A proxy of the environment may well be in the own network: its address is not
// judged.
func TestProxyMayBePrivate(t *testing.T) {
	t.Parallel()
	const destination = "http://vero.example.com/api/v2"
	asked := make(chan string, 1)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	t.Cleanup(web.Close)
	proxy, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := newHTTPClient(transportOptions{url: destination, proxy: http.ProxyURL(proxy), parallel: 1})
	t.Cleanup(client.CloseIdleConnections)
	res, err := client.Post(destination, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := <-asked; got != destination {
		t.Errorf("the proxy was asked for %s, want %s", got, destination)
	}
}
