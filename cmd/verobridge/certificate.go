package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a TLS certificate in two files, which may be replaced while
// the program runs: whoever renews it need not restart anything.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion // of the files that were loaded, or tried, last
}

// fileVersion tells whether a file was replaced.
type fileVersion struct {
	modified time.Time
	size     int64
}

// openCertificate loads the certificate, so that a wrong file is noticed at
// start.
func openCertificate(s tlsSettings, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: s.Cert, keyFile: s.Key, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("load the certificate of the settings tls.cert and tls.key: %w", err)
	}
	return c, nil
}

// config returns the settings of a TLS server.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.current,
	}
}

// current returns the certificate that the files hold now. While they hold none
// that can be used, as in the moment in which one of them is new and the other
// is not, it returns the last one that could.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.versions() != c.version {
		if err := c.load(); err != nil {
			c.log.Error("the new certificate cannot be used; the last one stays", "error", err)
		} else {
			c.log.Info("the certificate was replaced")
		}
	}
	return c.loaded, nil
}

func (c *certificate) load() error {
	c.version = c.versions()
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded = &loaded
	return nil
}

func (c *certificate) versions() [2]fileVersion {
	var versions [2]fileVersion
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			versions[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return versions
}
