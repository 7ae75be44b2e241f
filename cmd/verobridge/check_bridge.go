package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/internal/spool"
)

// checkBridge asks the bridge that runs with these settings how it is, if there
// is one.
func (s settings) checkBridge(ctx context.Context) []doctor.Finding {
	f := doctor.In("bridge")
	parts, status, err := s.askReady(ctx)
	switch {
	case err != nil && s.spoolInUse() == yes:
		f.Add(doctor.Error, "stop the other one, or give this one a data_dir of its own; if it is this one, look why it does not answer at admin.listen",
			"a process uses data_dir, and no bridge answers at %s", s.Admin.Listen)
	case err != nil:
		f.OK("none runs with these settings")
	case s.spoolInUse() == no:
		f.Add(doctor.Error, "let admin.listen and listen differ from those of the other bridge, or name its settings with --config",
			"a bridge answers at %s, and it is not one with this data_dir", s.Admin.Listen)
	case status != http.StatusOK:
		f.Add(doctor.Error, "look into its log, which has the reason", "it runs and takes no events: %s", parts["spool"])
	case parts["warehouse"] != partReady:
		f.Add(doctor.Warning, "see what is said about the warehouse", "it runs; its warehouse is %s", parts["warehouse"])
	case parts["spool"] != partReady:
		f.Add(doctor.Warning, "see which destination is paused or slow", "it runs; its spool is %s", parts["spool"])
	default:
		f.OK("it runs and takes events")
	}
	return f.All()
}

// askReady asks the running bridge for what /readyz says.
func (s settings) askReady(ctx context.Context) (parts map[string]string, status int, err error) {
	client, err := s.adminClient()
	if err != nil {
		return nil, 0, err
	}
	answer, err := look(ctx, client.url+"/readyz")
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	return parts, answer.StatusCode, json.NewDecoder(answer.Body).Decode(&parts)
}

// certainty is what is known of a question that cannot always be answered.
type certainty int

const (
	unknown certainty = iota
	yes
	no
)

// spoolInUse says whether some process has the spool of these settings open. That is
// not known of a spool elsewhere, or in a folder that may not be looked at.
func (s settings) spoolInUse() certainty {
	used, err := spool.InUse(s.spoolDir())
	switch {
	case s.NATS.URL != "" || err != nil:
		return unknown
	case used:
		return yes
	default:
		return no
	}
}

// spoolDir is the folder of the embedded spool.
func (s settings) spoolDir() string { return filepath.Join(s.DataDir, "spool") }

// checkDataDir looks at where events wait, or, where that is elsewhere, whether
// somebody answers there.
func (s settings) checkDataDir(ctx context.Context) []doctor.Finding {
	if s.NATS.URL == "" {
		return doctor.Folder(ctx, "data_dir", s.spoolDir())
	}
	f := doctor.In("nats")
	for server := range strings.SplitSeq(s.NATS.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Host == "" {
			f.Add(doctor.Error, "write it as nats://host:4222, several with commas", "nats.url cannot be read")
			continue
		}
		address := u.Host
		if u.Port() == "" {
			address = net.JoinHostPort(u.Hostname(), "4222")
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			f.Add(doctor.Error, "check nats.url and that the server runs", "no NATS server answers at %s: %v", address, err)
			continue
		}
		_ = conn.Close()
		f.OK("a server answers at %s", address)
	}
	return f.All()
}
