package console

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Setup is what an app or Vero needs to be connected.
type Setup struct {
	// Sources are those in the settings.
	Sources []SetupSource
	// PublicURL is where apps reach the bridge. Defaults to the host by which the
	// console was asked, with Port.
	PublicURL string
	// Port is that of the public address, TLS says that it speaks TLS.
	Port string
	TLS  bool
	// Send posts a track call with a source's own write key, as its apps do.
	// Required.
	Send func(ctx context.Context, source string, call []byte) error
}

// SetupSource is a source with what it sends with.
type SetupSource struct {
	Name string
	// Vero says that Vero sends with it, Browser that its keys are public.
	Vero, Browser bool
	WriteKeys     []string
}

// setupPage is what the page shows.
type setupPage struct {
	URL string
	// Guessed says that nobody has set the URL.
	Guessed bool
	Apps    []setupApp
	Veros   []setupVero
	Trial   trialForm
}

type setupApp struct {
	SetupSource
	Keys     []secret
	Snippets []snippet
}

type setupVero struct {
	SetupSource
	Webhooks []secret
}

// secret is what is shown in part, and copied whole.
type secret struct{ Shown, Whole string }

// masked shows enough of a key to tell it from others.
func masked(key string) string {
	const shown = 4
	if len(key) <= 2*shown {
		return "••••••••"
	}
	return key[:shown] + "••••••••"
}

func (c *Console) setup(r *http.Request) (any, error) {
	url, guessed := c.publicURL(r)
	p := setupPage{URL: url, Guessed: guessed}
	for _, s := range c.o.Setup.Sources {
		if s.Vero {
			vero := setupVero{SetupSource: s}
			for _, key := range s.WriteKeys {
				base := url + "/webhooks/vero/"
				vero.Webhooks = append(vero.Webhooks, secret{base + masked(key), base + key})
			}
			p.Veros = append(p.Veros, vero)
			continue
		}
		app := setupApp{SetupSource: s, Snippets: snippetsOf(url, s)}
		for _, key := range s.WriteKeys {
			app.Keys = append(app.Keys, secret{masked(key), key})
		}
		p.Apps = append(p.Apps, app)
		p.Trial.Sources = append(p.Trial.Sources, s.Name)
	}
	return p, nil
}

// publicURL returns where apps reach the bridge, and whether that is a guess.
func (c *Console) publicURL(r *http.Request) (url string, guessed bool) {
	if c.o.Setup.PublicURL != "" {
		return strings.TrimSuffix(c.o.Setup.PublicURL, "/"), false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	scheme := "http"
	if c.o.Setup.TLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, c.o.Setup.Port), true
}

// hasApp says whether a source is one that apps send with.
func (c *Console) hasApp(name string) bool {
	return slices.ContainsFunc(c.o.Setup.Sources, func(s SetupSource) bool { return s.Name == name && !s.Vero })
}
