package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// What the bridge is set to. Everything listens on loopback.
const (
	appKey    = "torture-app-key"
	veroKey   = "torture-vero-key"
	veroToken = "torture-vero-token"
)

// world is a bridge with all that is around it: clients, Postgres, Vero.
type world struct {
	dir       string // of the settings, the log, and the bridge's data
	url       string // of the bridge
	database  string // as the superuser sees it
	warehouse string // as the bridge does
	postgres  *postgres
	vero      *mockvero.Server
	veroDoor  *door
	process   *process
	ledger    *ledger
	http      *http.Client
	random    *rand.Rand
	closers   []func() error
}

// postgres is the server of all worlds.
type postgres struct {
	dir    string
	server *localpg.Server
}

// postgresSettings are for speed: what a fault here kills is processes, and the
// kernel keeps what they wrote.
var postgresSettings = map[string]string{"fsync": "off", "full_page_writes": "off", "max_connections": "50"}

func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	p := &postgres{dir: dir}
	return p, p.start(ctx)
}

func (p *postgres) start(ctx context.Context) (err error) {
	p.server, err = localpg.Start(ctx, localpg.Options{Dir: p.dir, Settings: postgresSettings})
	return err
}

// crash ends the server at once.
func (p *postgres) crash() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.server.Stop(ended) // it says that it was killed
}

// run executes statements as the superuser, in the database of a URL.
func run(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// newWorld starts everything but the load. dataDir is where the bridge keeps its
// spool, a directory below dir if it is empty.
func newWorld(ctx context.Context, binary, dir, dataDir string, p *postgres, random *rand.Rand) (_ *world, err error) {
	w := &world{
		dir: dir, postgres: p, ledger: newLedger(), random: random,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := w.makeDatabase(ctx); err != nil {
		return nil, err
	}
	veroURL, err := w.startVero(ctx)
	if err != nil {
		return nil, err
	}
	if dataDir == "" {
		dataDir = filepath.Join(dir, "data")
	}
	listen, admin, err := freePorts(ctx)
	if err != nil {
		return nil, err
	}
	w.url = "http://" + listen
	settings := fmt.Sprintf(`
listen: %q
admin: {listen: %q}
data_dir: %q
warehouse: {url: %q}
sources:
  - {name: app, write_keys: [%q], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [%q]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q, allow_private: true}
`, listen, admin, dataDir, w.warehouse, appKey, veroKey, veroToken, veroURL+"/api/v2")
	config := filepath.Join(dir, "verobridge.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "bridge.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // our own directory
	if err != nil {
		return nil, err
	}
	w.onClose(log.Close)
	w.process = &process{binary: binary, config: config, admin: "http://" + admin, log: log}
	if err := w.process.start(ctx); err != nil {
		return nil, err
	}
	w.onClose(func() error { w.process.kill(); return nil })
	return w, nil
}

func (w *world) onClose(do func() error) { w.closers = append(w.closers, do) }

// close takes everything away.
func (w *world) close() error {
	var problems []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		problems = append(problems, w.closers[i]())
	}
	w.http.CloseIdleConnections()
	return errors.Join(problems...)
}

// role is who the bridge is to Postgres: no superuser, as it should be anywhere.
const (
	role     = "bridge"
	makeRole = "do $$ begin if not exists (select from pg_roles where rolname = '" + role + "') then create role " + role + " login; end if; end $$"
)

func (w *world) makeDatabase(ctx context.Context) error {
	server := w.postgres.server.URL()
	name := fmt.Sprintf("torture_%d", time.Now().UnixNano())
	if err := run(ctx, server, makeRole, "create database "+name+" owner "+role); err != nil {
		return fmt.Errorf("make a database: %w", err)
	}
	w.onClose(func() error {
		return run(context.WithoutCancel(ctx), server, "drop database "+name+" with (force)")
	})
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	w.database = u.String()
	u.User = url.User(role)
	w.warehouse = u.String()
	return nil
}

// startVero starts a mock of Vero that remembers everything.
func (w *world) startVero(ctx context.Context) (address string, err error) {
	w.vero = mockvero.New(mockvero.Options{AuthToken: veroToken, Keep: 1 << 30})
	w.veroDoor = &door{address: "127.0.0.1:0", handler: w.vero}
	if err := w.veroDoor.open(ctx); err != nil {
		return "", err
	}
	w.onClose(func() error { return w.veroDoor.close() })
	return "http://" + w.veroDoor.address, nil
}

// freePorts returns two addresses that nobody listens on.
func freePorts(ctx context.Context) (first, second string, err error) {
	var addresses [2]string
	for i := range addresses {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer func() { _ = listener.Close() }()
		addresses[i] = listener.Addr().String()
	}
	return addresses[0], addresses[1], nil
}
