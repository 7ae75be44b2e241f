package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate for 127.0.0.1 into files of their own.
func selfSigned(t *testing.T) tlsSettings {
	t.Helper()
	dir := t.TempDir()
	s := tlsSettings{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	writeCertificate(t, s, 1)
	return s
}

// writeCertificate replaces both files, the key first.
func writeCertificate(t *testing.T, s tlsSettings, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "127.0.0.1"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		path, kind string
		der        []byte
	}{{s.Key, "PRIVATE KEY", private}, {s.Cert, "CERTIFICATE", cert}} {
		// As certificate managers do: beside the file, then over it.
		if err := os.WriteFile(f.path+".new", pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f.path+".new", f.path); err != nil {
			t.Fatal(err)
		}
	}
}

// handshake returns the serial number of the certificate that the bridge shows,
// which must be the one in the file that is trusted.
func handshake(t *testing.T, address, trusted string) (serial int64, err error) {
	t.Helper()
	text, err := os.ReadFile(trusted)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// The bridge serves TLS, and takes a new certificate without a restart. Files
// that cannot be used leave the last one in place.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.TLS = selfSigned(t)
	var lines lockedBuffer
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(&lines, nil)))
	shown := func() int64 {
		t.Helper()
		serial, err := handshake(t, b.publicAddr, s.TLS.Cert)
		if err != nil {
			t.Fatal(err)
		}
		return serial
	}
	if got := shown(); got != 1 {
		t.Errorf("certificate %d is shown, want 1", got)
	}
	writeCertificate(t, s.TLS, 2)
	if got := shown(); got != 2 {
		t.Errorf("certificate %d is shown, want 2", got)
	}

	kept := filepath.Join(t.TempDir(), "kept.pem")
	if err := os.Link(s.TLS.Cert, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.TLS.Cert); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := handshake(t, b.publicAddr, kept); got != 2 || err != nil {
			t.Errorf("certificate %d is shown, %v, want 2", got, err)
		}
	}
	if n := strings.Count(lines.String(), "the new certificate cannot be used"); n != 1 {
		t.Errorf("the broken file is reported %d times, want once:\n%s", n, lines.String())
	}
	writeCertificate(t, s.TLS, 3)
	if got := shown(); got != 3 {
		t.Errorf("certificate %d is shown, want 3", got)
	}

	// Plain HTTP is told so, and who would rather speak HTTP/2 gets HTTP/1.1.
	answer, err := http.Get("http://" + b.publicAddr + "/v1/batch")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "HTTPS") {
		t.Errorf("plain HTTP is answered %d %s, %v", answer.StatusCode, text, err)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err = client.Get("https://" + b.publicAddr + "/v1/projects/" + appKey + "/settings")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.Proto != "HTTP/1.1" || answer.StatusCode != http.StatusOK {
		t.Errorf("answer is %d over %s, want 200 over HTTP/1.1", answer.StatusCode, answer.Proto)
	}
	client.CloseIdleConnections()
}

// A certificate that cannot be used stops the start, and says which setting.
func TestCertificateThatIsNone(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.TLS = tlsSettings{Cert: filepath.Join(t.TempDir(), "none.pem"), Key: "none"}
	if _, err := startBridge(t.Context(), s, watch(t, s, slog.New(slog.DiscardHandler))); err == nil || !strings.Contains(err.Error(), "tls.cert") || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("error is %v, want one that names the setting and the file", err)
	}
}
