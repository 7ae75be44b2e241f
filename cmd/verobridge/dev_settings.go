package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// writeSettings writes what the bridge of dev goes by, where the other commands can
// take it with --config, and returns its path.
func (d *dev) writeSettings(listen, admin, veroURL, databaseURL string) (path string, err error) {
	dir, err := filepath.Abs(d.dataDir)
	if err != nil {
		return "", fmt.Errorf("write the settings: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write the settings: %w", err)
	}
	text := fmt.Sprintf(`# Written by verobridge dev each time it starts.
listen: %q
admin: {listen: %q, password: %q}
data_dir: %q
warehouse: {url: %q}
sources:
  - {name: app, write_keys: [%s], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [%s]}
destinations:
  - {name: vero, type: vero, auth_token: %s, url: %q, allow_private: true}
`, listen, admin, d.password, dir, databaseURL, devAppKey, devVeroKey, devVeroToken, veroURL+"/api/v2")
	path = filepath.Join(dir, "verobridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write the settings: %w", err)
	}
	return path, nil
}
