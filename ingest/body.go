package ingest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// share returns the share of a request in the memory for all bodies.
func (h *handler) share(w http.ResponseWriter) *share {
	return h.memory.share(func() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // it is over now; without a connection there is nothing to end
	})
}

// read returns the request's body as JSON that is valid, bounded and clean. The
// content type is not looked at: browsers and Kotlin send text/plain, C# none.
func (h *handler) read(w http.ResponseWriter, r *http.Request, held *share) ([]byte, error) {
	body, err := inflate(w, r, h.maxBody, held)
	if err != nil {
		return nil, err
	}
	return lenient(body)
}

// inflate reads the body and stops at limit, as sent and as decompressed, or
// when the memory for all bodies is spent.
func inflate(w http.ResponseWriter, r *http.Request, limit int64, held *share) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	broken := errUnread
	switch strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))) {
	case "", "identity":
	case "gzip", "x-gzip":
		broken = errGzip
		inflated, err := gzip.NewReader(body)
		if err != nil {
			return nil, because(broken, err)
		}
		body = inflated
	default:
		return nil, errEncoding
	}
	// The memory grows as the body arrives, whatever length was announced.
	whole, err := io.ReadAll(held.reader(io.LimitReader(body, limit+1)))
	if err != nil {
		return nil, because(broken, err)
	}
	if int64(len(whole)) > limit {
		return nil, errTooLarge
	}
	held.arrived()
	return whole, nil
}

// because says why a body could not be read.
func because(broken *failure, err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, errOverloaded):
		return errOverloaded
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	default:
		return broken
	}
}
