package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/doctor"
)

// checkDoors returns the checks of the addresses at which apps and Vero reach the
// bridge.
func (s settings) checkDoors() []doctor.Check {
	checks := []doctor.Check{{Area: "listen", Look: s.checkListener}}
	if s.TLS.Cert != "" {
		checks = append(checks, doctor.Check{Area: "tls", Look: func(context.Context) []doctor.Finding {
			return doctor.Certificate(s.TLS.Cert, s.TLS.Key, s.publicHost(), time.Now())
		}})
	}
	if s.Notify.URL != "" {
		checks = append(checks, doctor.Check{Area: "notify", Look: s.checkNotify})
	}
	if s.PublicURL != "" {
		checks = append(checks, doctor.Check{Area: "public_url", Look: s.checkPublicURL})
	}
	return checks
}

// checkNotify looks whether the webhook that is told is there, and tells it nothing.
func (s settings) checkNotify(ctx context.Context) []doctor.Finding {
	f := doctor.In("notify")
	answer, err := look(ctx, s.Notify.URL)
	if err != nil {
		f.Add(doctor.Warning, "check notify.url, and whether this machine reaches it; until then you are told nothing", "the webhook does not answer: %v", err)
		return f.All()
	}
	_ = answer.Body.Close()
	f.OK("the webhook of notify.url answers")
	return f.All()
}

// publicHost is the name by which clients know the bridge, "" if none is set.
func (s settings) publicHost() string {
	u, err := url.Parse(s.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// checkListener looks whether the address of the public API is the bridge's, or
// free for it.
func (s settings) checkListener(ctx context.Context) []doctor.Finding {
	f := doctor.In("listen")
	if _, _, err := s.askReady(ctx); err != nil {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
		if err != nil {
			f.Add(doctor.Error, "stop what listens there, or set listen to another address", "%s cannot be listened on: %v", s.Listen, err)
			return f.All()
		}
		_ = listener.Close()
		f.OK("%s is free", s.Listen)
		return f.All()
	}
	if s.TLS.Cert != "" {
		return nil // the certificate is for another name than that of this machine for itself
	}
	base := &url.URL{Scheme: "http", Host: nearAddress(s.Listen)}
	if _, err := knock(ctx, base); err != nil {
		f.Add(doctor.Error, "look whether another program has the address", "the bridge runs and does not answer at %s: %v", s.Listen, err)
		return f.All()
	}
	f.OK("the bridge answers at %s", s.Listen)
	return f.All()
}

// checkPublicURL looks whether apps and Vero reach the bridge at its public
// address.
func (s settings) checkPublicURL(ctx context.Context) []doctor.Finding {
	f := doctor.In("public_url")
	base, err := url.Parse(s.PublicURL)
	if err != nil {
		f.Add(doctor.Error, "write it as https://events.example.com", "it cannot be read")
		return f.All()
	}
	if base.Scheme != "https" && !isLoopback(net.JoinHostPort(base.Hostname(), "80")) {
		f.Add(doctor.Warning, "set tls, or put the bridge behind what ends TLS, and set public_url to https://…",
			"it is not https: write keys, and what is known of people, travel in the clear")
	}
	there, err := knock(ctx, base)
	switch _, _, absent := s.askReady(ctx); {
	case err == nil:
		f.OK("apps reach the bridge at %s, and Vero at %s/webhooks/vero/<write key>", base.Redacted(), strings.TrimRight(base.Redacted(), "/"))
	case absent != nil && there.status != "":
		f.OK("%s answers %s; check it again when the bridge runs", base.Redacted(), there.status)
	default:
		f.Add(doctor.Error, "check its DNS record, and that the proxy in front of the bridge passes on all paths as they are; some networks let nobody reach their own public address from within",
			"the bridge is not to be reached at %s: %v", base.Redacted(), err)
	}
	if s.TLS.Cert == "" && there.certificate != nil {
		f.Validity(there.certificate, time.Now())
	}
	return f.All()
}

// visit is what was met at an address. Its fields are empty where nobody answered.
type visit struct {
	status      string
	certificate *x509.Certificate // nil without TLS
}

// errOther says that somebody else than a bridge answers.
var errOther = errors.New("another program answers")

// knock looks whether a bridge answers at a base URL: it asks for what no webhook
// does, under a key that opens nothing.
func knock(ctx context.Context, base *url.URL) (visit, error) {
	answer, err := look(ctx, base.JoinPath("webhooks", "vero", "check").String())
	if err != nil {
		return visit{}, err
	}
	defer answer.Body.Close()
	there := visit{status: answer.Status}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		there.certificate = answer.TLS.PeerCertificates[0]
	}
	var said struct {
		Code string `json:"code"`
	}
	if json.NewDecoder(answer.Body).Decode(&said) != nil || said.Code != "method_not_allowed" {
		return there, errOther
	}
	return there, nil
}

// look asks for a page and does not go where it leads. The error does not name the
// page, which may hold a secret.
func look(ctx context.Context, page string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		return nil, failed.Err
	}
	return answer, err
}
