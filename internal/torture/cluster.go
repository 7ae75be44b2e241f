package torture

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/verobridge/verobridge/internal/natscluster"
)

// NodeCommand is the subcommand by which the tortured program is a node of a NATS
// cluster.
const NodeCommand = "nats-node"

// onCluster is harm to a cluster and to the bridges that share it, one kind after
// the other.
type onCluster struct {
	cluster *natscluster.Cluster
	done    int
}

func prepareCluster(ctx context.Context, binary, dir string) (harm, site, error) {
	c, err := natscluster.Start(ctx, natscluster.Options{Command: []string{binary, NodeCommand}, Dir: filepath.Join(dir, "nats")})
	if err != nil {
		return nil, site{}, err
	}
	return &onCluster{cluster: c}, site{bridges: 3, settings: fmt.Sprintf("nats: {url: %q}\n", c.URL())}, nil
}

func (h *onCluster) close() error { return h.cluster.Close() }

func (h *onCluster) cycle(ctx context.Context, w *world) error {
	faults := []func(context.Context, *world) error{h.killBridge, h.killNode, h.renewBridges, h.cutNode}
	h.done++
	if err := faults[(h.done-1)%len(faults)](ctx, w); err != nil {
		return err
	}
	// Three copies bear the loss of one.
	if err := h.cluster.AwaitWhole(ctx); err != nil {
		return fmt.Errorf("the NATS cluster does not become whole: %w", err)
	}
	for _, b := range w.bridges {
		if err := b.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// killBridge ends a bridge without warning. Whatever it delivered to has to get on
// without it.
func (h *onCluster) killBridge(ctx context.Context, w *world) error {
	b := w.bridges[w.random.IntN(len(w.bridges))]
	b.Kill()
	pause(ctx, w.moment(3*time.Second))
	return b.Start(ctx)
}

// killNode ends a node of NATS without warning. The other two are a quorum.
func (h *onCluster) killNode(ctx context.Context, w *world) error {
	i := w.random.IntN(h.cluster.Len())
	h.cluster.KillNode(i)
	pause(ctx, w.moment(3*time.Second))
	return h.cluster.StartNode(i)
}

// cutNode cuts a node off from the others, with the bridges that are connected to
// it, for as long as it takes to elect another leader.
func (h *onCluster) cutNode(ctx context.Context, w *world) error {
	i := w.random.IntN(h.cluster.Len())
	h.cluster.Cut(i)
	pause(ctx, time.Second+w.moment(10*time.Second))
	h.cluster.Heal(i)
	return ctx.Err()
}

// renewBridges stops and starts one bridge after the other, as an upgrade does. No
// client may notice.
func (h *onCluster) renewBridges(ctx context.Context, w *world) error {
	before := w.refused.Load()
	for _, b := range w.bridges {
		if err := b.Stop(); err != nil {
			return err
		}
		if err := b.Start(ctx); err != nil {
			return err
		}
	}
	if n := w.refused.Load() - before; n > 0 {
		return fmt.Errorf("while bridges were renewed one by one, %d batches were taken by none", n)
	}
	return nil
}
