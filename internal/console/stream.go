package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"
)

// streamWrite is how long a browser may take for what it is sent. One that takes
// longer is let go, and comes again by itself.
const streamWrite = 10 * time.Second

// errLoggedOut ends a stream of somebody who is not logged in any more.
var errLoggedOut = errors.New("logged out")

// stream answers with server-sent events. tell sends pieces of HTML, which the
// page puts where their ids say, until it returns, the session ends, or the
// console closes.
func (c *Console) stream(w http.ResponseWriter, r *http.Request, tell func(ctx context.Context, send func(html []byte) error) error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it to itself
	control := http.NewResponseController(w)
	err := tell(ctx, func(html []byte) error {
		if c.lock.locked() && !c.sessions.isOpen(token(r)) {
			return errLoggedOut
		}
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return err
		}
		if _, err := w.Write(message(html)); err != nil {
			return err
		}
		return control.Flush()
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errLoggedOut) {
		c.log.Debug("a live page of the console ended", "path", r.URL.Path, "error", err)
	}
}

// message makes a server-sent event, or a comment that keeps the connection, of
// nothing.
func message(html []byte) []byte {
	if len(html) == 0 {
		return []byte(":\n\n")
	}
	var out bytes.Buffer
	for line := range bytes.Lines(html) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	return out.Bytes()
}
