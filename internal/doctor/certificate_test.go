package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/doctor"
)

func TestCertificate(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	ends := made.AddDate(0, 0, 90)
	cert, key := certificate(t, "events.example.com", made, ends)
	other, _ := certificate(t, "events.example.com", made, ends)
	for name, c := range map[string]struct {
		cert, key, host string
		now             time.Time
		level           doctor.Level
		want            string
	}{
		"valid":          {cert, key, "events.example.com", ends.AddDate(0, 0, -60), doctor.OK, "valid for 60 days"},
		"no host known":  {cert, key, "", ends.AddDate(0, 0, -60), doctor.OK, "valid for 60 days"},
		"ends soon":      {cert, key, "events.example.com", ends.AddDate(0, 0, -3), doctor.Warning, "ends in 3 days"},
		"has ended":      {cert, key, "events.example.com", ends.Add(time.Hour), doctor.Error, "ended on 2026-11-30"},
		"not yet":        {cert, key, "events.example.com", made.Add(-time.Hour), doctor.Error, "from 2026-09-01"},
		"of another":     {cert, key, "www.example.com", ends.AddDate(0, 0, -60), doctor.Error, "get a certificate for www.example.com"},
		"another's key":  {other, key, "", ends.AddDate(0, 0, -60), doctor.Error, "the files of one certificate"},
		"no certificate": {key, key, "", ends.AddDate(0, 0, -60), doctor.Error, "in PEM"},
	} {
		if got := found(doctor.Certificate(c.cert, c.key, c.host, c.now), c.level); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s is %q, want %q", name, c.level, got, c.want)
		}
	}
	if err := os.Chmod(key, 0o644); err != nil { //nolint:gosec // what is to be found
		t.Fatal(err)
	}
	if got := found(doctor.Certificate(cert, key, "", made.Add(time.Hour)), doctor.Warning); !strings.Contains(got, "chmod o-rwx "+key) {
		t.Errorf("of a key for all to read it warns %q", got)
	}
}

// certificate writes a certificate and its key, and returns their files.
func certificate(t *testing.T, host string, from, to time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: from, NotAfter: to,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
