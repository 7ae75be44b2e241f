package ingest

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"regexp"

	"github.com/gorilla/mux"
)

// bundle is the browser SDK, as the npm package @segment/analytics-next ships
// it in dist/umd: a script with a place for the write key, and the chunks that
// the script loads when it needs them.
type bundle struct {
	files  fs.FS
	script []byte
}

const (
	bundleScript = "standalone.js"
	keyPlace     = "__WRITE_KEY__"
)

var chunkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\.js(\.map)?$`)

func openBundle(dir string) (*bundle, error) {
	files := os.DirFS(dir)
	script, err := fs.ReadFile(files, bundleScript)
	if err != nil {
		return nil, fmt.Errorf("read the browser SDK: %w; copy dist/umd of the npm package @segment/analytics-next there", err)
	}
	return &bundle{files: files, script: script}, nil
}

// analyticsScript serves what the snippet on a page asks for.
func (h *handler) analyticsScript(w http.ResponseWriter, r *http.Request) error {
	key := mux.Vars(r)["writeKey"]
	if h.keys.find(key) == nil {
		return errNotFound
	}
	javascript(w.Header())
	quoted := template.JSEscapeString(key)
	_, _ = w.Write(bytes.ReplaceAll(h.bundle.script, []byte(keyPlace), []byte(quoted))) // the client is gone: nobody to tell
	return nil
}

// analyticsChunk serves the other files of the bundle.
func (h *handler) analyticsChunk(w http.ResponseWriter, r *http.Request) error {
	name := mux.Vars(r)["file"]
	if !chunkName.MatchString(name) {
		return errNotFound
	}
	if info, err := fs.Stat(h.bundle.files, name); err != nil || !info.Mode().IsRegular() {
		return errNotFound
	}
	javascript(w.Header())
	http.ServeFileFS(w, r, h.bundle.files, name) //nolint:gosec // a file system takes no name that leads out of it
	return nil
}

func javascript(header http.Header) {
	header.Set("Content-Type", "text/javascript; charset=utf-8")
	header.Set("Cache-Control", "public, max-age=300")
}
