package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/verobridge/verobridge/internal/console"
)

// setup is what the console tells people who connect an app or Vero.
func (b *bridge) setup() console.Setup {
	_, port, _ := net.SplitHostPort(b.publicAddr)
	s := console.Setup{PublicURL: b.settings.PublicURL, Port: port, TLS: b.settings.TLS.Cert != "", Send: b.sendAs}
	for _, source := range b.settings.Sources {
		s.Sources = append(s.Sources, console.SetupSource{
			Name: source.Name, Vero: source.Type == typeVero, Browser: source.Trust == trustBrowser, WriteKeys: source.WriteKeys,
		})
	}
	return s
}

// sendAs posts a track call with a source's write key through the public door, as
// its apps do, without the network in between.
func (b *bridge) sendAs(ctx context.Context, source string, call []byte) error {
	i := slices.IndexFunc(b.settings.Sources, func(s sourceSettings) bool { return s.Name == source })
	if i < 0 {
		return fmt.Errorf("there is no source %s", source)
	}
	from := b.settings.Sources[i]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/track", bytes.NewReader(call))
	if err != nil {
		return err
	}
	r.RemoteAddr = "127.0.0.1:0"
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(from.WriteKeys[0], "")
	if len(from.Origins) > 0 {
		r.Header.Set("Origin", from.Origins[0])
	}
	a := keptAnswer{header: make(http.Header), status: http.StatusOK}
	b.door.ServeHTTP(&a, r)
	if a.status == http.StatusOK {
		return nil
	}
	var refusal struct{ Message string }
	if json.Unmarshal(a.body.Bytes(), &refusal) != nil || refusal.Message == "" {
		refusal.Message = a.body.String()
	}
	return fmt.Errorf("the answer was %d: %s", a.status, refusal.Message)
}

// keptAnswer keeps an answer instead of sending it.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *keptAnswer) Header() http.Header         { return a.header }
func (a *keptAnswer) WriteHeader(status int)      { a.status = status }
func (a *keptAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
