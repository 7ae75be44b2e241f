package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds what one look at /readyz asks of Postgres.
const readyTimeout = 2 * time.Second

// partReady is what /readyz says of a part with which all is well.
const partReady = "ready"

// adminHandler serves what operators and their monitoring look at: the console
// for people, the rest for programs. Health is open, since platforms probe it
// without a password; everything else is not where a password is set.
func (b *bridge) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", b.local(b.console))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", b.ready)
	mux.Handle("GET /metrics", b.console.Basic(b.local(promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{
		ErrorLog: nil,
		Timeout:  10 * time.Second,
	}))))
	mux.Handle("/api/", b.console.Basic(b.local(b.apiHandler())))
	return mux
}

// ready answers 200 while events can be accepted. A warehouse that is down is
// shown but does not make the bridge unready: events are kept for it.
func (b *bridge) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	status := http.StatusOK
	parts := map[string]string{"spool": partReady, "warehouse": partReady}
	if left, behind, soon := b.spool.FullIn(); soon {
		parts["spool"] = fmt.Sprintf("ready; at the present rate it is full in %s, for %s is behind", left.Round(time.Minute), behind)
	}
	if err := b.spool.Ready(); err != nil {
		status, parts["spool"] = http.StatusServiceUnavailable, err.Error()
	}
	if err := b.loader.Ready(ctx); err != nil {
		parts["warehouse"] = "not ready; events are kept until it is"
	}
	writeJSON(w, status, parts)
}

// local refuses what names another host than this machine, where there is no
// password: a page of a stranger whose name leads to the operator's machine is to
// the browser the same site as the API.
func (b *bridge) local(handler http.Handler) http.Handler {
	if b.settings.Admin.Password != "" {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) && !isLoopback(net.JoinHostPort(strings.Trim(r.Host, "[]"), "80")) {
			problem(w, http.StatusForbidden, errors.New("without a password the admin address answers to localhost, 127.0.0.1 and [::1] alone; call it by one of them, or set admin.password"))
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
