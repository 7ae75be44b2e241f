package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gorilla/mux"
)

// assets are the files that pages load, by the names under which they are served:
// console.css as console.0123456789abcdef.css. What a name stands for never
// changes, so browsers keep it for good.
type assets struct {
	served map[string]asset
	names  map[string]string // as served, by the name of the file
}

type asset struct {
	body        []byte
	contentType string
}

func readAssets(files fs.FS) (assets, error) {
	a := assets{make(map[string]asset), make(map[string]string)}
	found, err := fs.Glob(files, "static/*")
	if err != nil {
		return a, fmt.Errorf("list the console's files: %w", err)
	}
	for _, file := range found {
		body, err := fs.ReadFile(files, file)
		if err != nil {
			return a, fmt.Errorf("read the console's files: %w", err)
		}
		hash := sha256.Sum256(body)
		name, extension := path.Base(file), path.Ext(file)
		served := strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(hash[:8]) + extension
		a.served[served] = asset{body, mime.TypeByExtension(extension)}
		a.names[name] = served
	}
	return a, nil
}

// url returns where a file is served.
func (a assets) url(name string) (string, error) {
	served, ok := a.names[name]
	if !ok {
		return "", fmt.Errorf("the console has no file %s", name)
	}
	return "/static/" + served, nil
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.served[mux.Vars(r)["name"]]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.body) // the client may have gone
}
