package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"time"
)

// renewBefore is how long before its end a certificate should have been renewed:
// those of ninety days are renewed with thirty left, so something is wrong.
const renewBefore = 14 * 24 * time.Hour

// Certificate looks at the files of a certificate and its key. host is the name by
// which clients know the server, "" if that is not known.
func Certificate(certFile, keyFile, host string, now time.Time) []Finding {
	f := In("tls")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		f.Add(Error, "let tls.cert and tls.key lead to the files of one certificate, in PEM, the chain first", "the certificate cannot be used: %v", err)
		return f.All()
	}
	leaf := pair.Leaf
	f.Validity(leaf, now)
	if err := leaf.VerifyHostname(host); host != "" && err != nil {
		f.Add(Error, "get a certificate for "+host+", or correct public_url", "SDKs refuse the certificate: %v", err)
	}
	if info, err := os.Stat(keyFile); err == nil && info.Mode().Perm()&0o007 != 0 {
		f.Add(Warning, "chmod o-rwx "+keyFile, "everybody on this machine may read the certificate's key")
	}
	return f.All()
}

// Validity adds until when a certificate is valid.
func (f *Findings) Validity(leaf *x509.Certificate, now time.Time) {
	const day = 24 * time.Hour
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		f.Add(Error, "set the clock of this machine, or wait", "the certificate is valid from %s only", leaf.NotBefore.UTC().Format(time.RFC3339))
	case left <= 0:
		f.Add(Error, "renew it; a bridge reads the files of tls.cert and tls.key again by itself", "the certificate ended on %s", leaf.NotAfter.UTC().Format(time.DateOnly))
	case left < renewBefore:
		f.Add(Warning, "renew it, and find out why that did not happen by itself", "the certificate ends in %d days", left/day)
	default:
		f.OK("the certificate is valid for %d days", left/day)
	}
}
