package ingest

import (
	_ "embed"
	"net/http"
)

// openAPIDocument describes the public API. Tests hold it against the routes.
//
//go:embed openapi.yaml
var openAPIDocument []byte

// openAPI serves the description of the public API.
func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPIDocument) // the client is gone: nobody to tell
	return nil
}
