package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/rig"
)

// What the bridge is set to. Everything listens on loopback.
const (
	appKey    = "torture-app-key"
	veroKey   = "torture-vero-key"
	veroToken = "torture-vero-token"
	// webKey is in every page of webOrigin, so attackers have it.
	webKey    = "torture-web-key"
	webOrigin = "https://www.example.com"
)

// world is a bridge with all that is around it: clients, Postgres, Vero.
type world struct {
	database rig.Database
	postgres *rig.Postgres // the server of all worlds
	vero     *mockvero.Server
	veroDoor *rig.Door
	bridges  []*rig.Bridge
	process  *rig.Bridge // the first of them
	ledger   *ledger
	http     *http.Client
	random   *rand.Rand
	siege    *Siege       // what was measured of one, nil without
	refused  atomic.Int64 // batches that no bridge took
	closers  []func() error
	// settlePatience is how long the bridge may take without getting on, once it is
	// left in peace.
	settlePatience time.Duration
}

// settlePatience is that of a real one, which may share its machine.
const settlePatience = 2 * time.Minute

// postgresSettings are for speed: what a fault here kills is processes, and the
// kernel keeps what they wrote.
var postgresSettings = map[string]string{"fsync": "off", "full_page_writes": "off", "max_connections": "50"}

// newWorld starts everything but the load.
func newWorld(ctx context.Context, binary, dir string, where site, p *rig.Postgres, random *rand.Rand) (_ *world, err error) {
	w := &world{
		postgres: p, ledger: newLedger(), random: random, settlePatience: settlePatience,
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
	settings := fmt.Sprintf(`
sources:
  - {name: app, write_keys: [%q], destinations: [vero]}
  - {name: web, write_keys: [%q], trust: browser, origins: [%q], rate_limit: 5, destinations: [vero]}
  - {name: vero, type: vero, write_keys: [%q]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q, allow_private: true}
%s`, appKey, webKey, webOrigin, veroKey, veroToken, veroURL+"/api/v2", where.settings)
	for i := range max(1, where.bridges) {
		o := rig.BridgeOptions{
			Binary: binary, Dir: dir, DataDir: where.dataDir, Warehouse: w.database.Bridge, Settings: settings,
		}
		if where.bridges > 1 {
			o.Dir = filepath.Join(dir, fmt.Sprintf("bridge-%d", i))
		}
		if err := w.startBridge(ctx, o); err != nil {
			return nil, err
		}
	}
	w.process = w.bridges[0]
	return w, nil
}

func (w *world) startBridge(ctx context.Context, o rig.BridgeOptions) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	b, err := rig.NewBridge(ctx, o)
	if err != nil {
		return err
	}
	w.onClose(b.Close)
	if err := b.Start(ctx); err != nil {
		return err
	}
	w.onClose(func() error { b.Kill(); return nil })
	w.bridges = append(w.bridges, b)
	return nil
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

func (w *world) makeDatabase(ctx context.Context) (err error) {
	if w.database, err = w.postgres.Database(ctx); err != nil {
		return err
	}
	w.onClose(func() error { return w.database.Drop(context.WithoutCancel(ctx)) })
	return nil
}

// startVero starts a mock of Vero that remembers everything.
func (w *world) startVero(ctx context.Context) (address string, err error) {
	w.vero = mockvero.New(mockvero.Options{AuthToken: veroToken, Keep: 1 << 30})
	if w.veroDoor, err = rig.OpenDoor(ctx, w.vero); err != nil {
		return "", err
	}
	w.onClose(func() error { return w.veroDoor.Close() })
	return w.veroDoor.URL(), nil
}
