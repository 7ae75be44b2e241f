package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
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
	url      string // of the bridge
	database rig.Database
	postgres *rig.Postgres // the server of all worlds
	vero     *mockvero.Server
	veroDoor *rig.Door
	process  *rig.Bridge
	ledger   *ledger
	http     *http.Client
	random   *rand.Rand
	siege    *Siege // what was measured of one, nil without
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

// newWorld starts everything but the load. dataDir is where the bridge keeps its
// spool, a directory below dir if it is empty.
func newWorld(ctx context.Context, binary, dir, dataDir string, p *rig.Postgres, random *rand.Rand) (_ *world, err error) {
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
	w.process, err = rig.NewBridge(ctx, rig.BridgeOptions{
		Binary: binary, Dir: dir, DataDir: dataDir, Warehouse: w.database.Bridge,
		Settings: fmt.Sprintf(`
sources:
  - {name: app, write_keys: [%q], destinations: [vero]}
  - {name: web, write_keys: [%q], trust: browser, origins: [%q], rate_limit: 5, destinations: [vero]}
  - {name: vero, type: vero, write_keys: [%q]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q, allow_private: true}
`, appKey, webKey, webOrigin, veroKey, veroToken, veroURL+"/api/v2"),
	})
	if err != nil {
		return nil, err
	}
	w.onClose(w.process.Close)
	w.url = w.process.URL
	if err := w.process.Start(ctx); err != nil {
		return nil, err
	}
	w.onClose(func() error { w.process.Kill(); return nil })
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
