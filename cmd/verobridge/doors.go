package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/connlimit"
)

// How long a client may take. The longest waits are those of phones with a bad
// connection, which send up to half a megabyte; whoever takes longer gives up
// himself (the Segment SDKs after 8 to 60 seconds).
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeaderBytes is what browsers and proxies send at most, and one page
	// with many cookies.
	maxHeaderBytes = 32 << 10
	// defaultConnections bounds those of each door. A request takes milliseconds,
	// so that a tenth of them serves thousands of clients at the same time; the
	// rest is for phones, and for those who mean no good.
	defaultConnections = 4096
	leastConnections   = 16
	// reservedFiles are for all but connections of clients: the spool's files, and
	// the connections to Postgres and Vero.
	reservedFiles = 256
)

// startHTTP opens the two doors: the public one for SDKs and Vero, and the
// admin one for operators.
func (b *bridge) startHTTP(ctx context.Context) error {
	var err error
	if b.door, err = b.publicHandler(); err != nil {
		return err
	}
	var secure *tls.Config
	if b.settings.TLS.Cert != "" {
		certificate, err := openCertificate(b.settings.TLS, b.log)
		if err != nil {
			return err
		}
		secure = certificate.config()
	}
	b.closedConnections = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "verobridge_connections_closed_total",
		Help: "Connections closed because there were too many, by the setting of their listener.",
	}, []string{"listener"})
	b.metrics.MustRegister(b.closedConnections)
	if b.publicAddr, err = b.listen(ctx, "listen", b.settings.Listen, b.door, secure); err != nil {
		return err
	}
	if err := b.openConsole(); err != nil {
		return err
	}
	if b.adminAddr, err = b.listen(ctx, "admin.listen", b.settings.Admin.Listen, b.adminHandler(), nil); err != nil {
		return err
	}
	b.onStop(func(context.Context) error { // first, or the server would wait for who watches
		b.feed.Close()
		b.console.Close()
		return nil
	})
	return nil
}

func (b *bridge) publicHandler() (http.Handler, error) {
	var sources []ingest.Source
	for _, s := range b.settings.Sources {
		sources = append(sources, ingest.Source{
			Name:      s.Name,
			Vero:      s.Type == typeVero,
			WriteKeys: s.WriteKeys,
			Origins:   s.Origins,
			Browser:   s.Trust == trustBrowser,
			RateLimit: s.RateLimit,
			Disabled:  s.Disabled,
		})
	}
	return ingest.NewHandler(ingest.Options{
		Sources:          sources,
		Spool:            b.spool,
		MaxBodyBytes:     b.settings.Limits.BodyBytes,
		MaxBufferedBytes: b.settings.Limits.BufferedBytes,
		PublicURL:        b.settings.PublicURL,
		AnalyticsDir:     b.settings.AnalyticsDir,
		Logger:           b.log,
		Registerer:       b.metrics,
		Refusals:         b.refusals,
	})
}

// listen serves a handler until the bridge stops: then requests that have come
// in are finished. Without a TLS configuration it serves plain HTTP.
func (b *bridge) listen(ctx context.Context, setting, address string, handler http.Handler, secure *tls.Config) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("cannot listen on %s, the setting %s: %w", address, setting, err)
	}
	connections, err := b.connections(setting)
	if err != nil {
		return "", errors.Join(err, listener.Close())
	}
	limiter := connlimit.New(connlimit.Options{
		Limit:  connections,
		Closed: b.closedConnections.WithLabelValues(setting),
		Logger: b.log,
	})
	// Connections are what is counted and bounded. One of HTTP/2 carries hundreds of
	// requests, with their headers and goroutines, which nothing here would see.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		TLSConfig:         secure,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         limiter.Track,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
	serve := server.Serve
	if secure != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	go func() {
		if err := serve(limiter.Listen(listener)); !errors.Is(err, http.ErrServerClosed) {
			b.failed <- fmt.Errorf("serve %s: %w", setting, err)
		}
	}()
	b.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("stop %s: %w", setting, err), server.Close())
		}
		return nil
	})
	return listener.Addr().String(), nil
}

// connections returns how many connections a door may hold: as many as are set, or
// fewer where the process may not have so many files open. The limit is the hard
// one: Go raises the soft one at start.
func (b *bridge) connections(setting string) (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	wanted := cmp.Or(b.settings.Limits.Connections, defaultConnections)
	fit := connectionsThatFit(wanted, files.Cur)
	if fit < wanted {
		b.log.Warn("the limit of open files leaves room for fewer connections than limits.connections",
			"listener", setting, "connections", fit, "wanted", wanted, "open_files", files.Cur, "cure", "raise the limit of open files (ulimit -n, LimitNOFILE)")
	}
	return fit, nil
}

// connectionsThatFit shares what the rest of the bridge leaves of its files among
// the two doors.
func connectionsThatFit(wanted int, files uint64) int {
	free := max(files, reservedFiles) - reservedFiles
	return int(min(uint64(wanted), max(free/2, leastConnections)))
}
