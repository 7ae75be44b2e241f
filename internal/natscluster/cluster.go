package natscluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say what the cluster is made of.
type Options struct {
	// Command starts a node: a program and its arguments, after which comes the one
	// for Serve. Required.
	Command []string
	// Dir keeps the nodes' data and logs. Required.
	Dir string
	// Nodes is how many there are. Defaults to 3.
	Nodes int
}

// Cluster is a running cluster. Its methods are for one goroutine.
type Cluster struct {
	o       Options
	nodes   []node
	running []*exec.Cmd
	// proxies[i][j] is how node i reaches node j, nil for i = j.
	proxies [][]*proxy
}

// Start starts all nodes and returns when they have elected a leader.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	c := &Cluster{o: o, nodes: make([]node, o.Nodes), running: make([]*exec.Cmd, o.Nodes), proxies: make([][]*proxy, o.Nodes)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start a NATS cluster: %w", errors.Join(err, c.Close()))
		}
	}()
	for i := range c.nodes {
		ports, err := freePorts(2)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("nats-%d", i)
		c.nodes[i] = node{Name: name, Dir: filepath.Join(o.Dir, name), Clients: ports[0], Routes: ports[1]}
		c.proxies[i] = make([]*proxy, o.Nodes)
	}
	for i := range c.nodes {
		for j := range c.nodes {
			if i == j {
				continue
			}
			p, err := openProxy(fmt.Sprintf("127.0.0.1:%d", c.nodes[j].Routes))
			if err != nil {
				return nil, err
			}
			c.proxies[i][j] = p
			c.nodes[i].Peers = append(c.nodes[i].Peers, p.address())
		}
	}
	for i := range c.nodes {
		if err := c.StartNode(i); err != nil {
			return nil, err
		}
	}
	return c, c.AwaitWhole(ctx)
}

// AwaitWhole waits until the cluster answers, and each stream has a leader and all
// its copies up to date.
func (c *Cluster) AwaitWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	conn, err := nats.Connect(c.URL(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(readyTimeout/200))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	for {
		// Nobody answers what is asked before there is a leader.
		asking, cancel := context.WithTimeout(ctx, wholeTimeout/20)
		err := whole(asking, js)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second / 10):
		case <-ctx.Done():
			return err
		}
	}
}

// whole returns what the cluster lacks.
func whole(ctx context.Context, js jetstream.JetStream) error {
	if _, err := js.AccountInfo(ctx); err != nil {
		return err
	}
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		if info.Cluster == nil || info.Cluster.Leader == "" {
			return fmt.Errorf("stream %s has no leader", info.Config.Name)
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return fmt.Errorf("stream %s is not up to date on %s", info.Config.Name, r.Name)
			}
		}
	}
	return streams.Err()
}

// URL returns the addresses of all nodes.
func (c *Cluster) URL() string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", n.Clients)
	}
	return strings.Join(urls, ",")
}

// Len returns how many nodes there are.
func (c *Cluster) Len() int { return len(c.nodes) }

// StartNode starts a node that does not run.
func (c *Cluster) StartNode(i int) error {
	argument, err := json.Marshal(c.nodes[i])
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.nodes[i].Dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(c.nodes[i].Dir+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the node has it
	arguments := append(slices.Clone(c.o.Command[1:]), string(argument))
	command := exec.Command(c.o.Command[0], arguments...) //nolint:gosec,noctx // our own program; Close ends it
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.nodes[i].Name, err)
	}
	c.running[i] = command
	return nil
}

// KillNode ends a node without warning. One that does not run stays so.
func (c *Cluster) KillNode(i int) {
	if command := c.running[i]; command != nil {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // it says that it was killed
		c.running[i] = nil
	}
}

// Cut cuts a node off from the others. What it had in common with its clients
// stays.
func (c *Cluster) Cut(i int) { c.set(i, true) }

// Heal undoes Cut.
func (c *Cluster) Heal(i int) { c.set(i, false) }

func (c *Cluster) set(i int, cut bool) {
	for j := range c.nodes {
		if i != j {
			c.proxies[i][j].set(cut)
			c.proxies[j][i].set(cut)
		}
	}
}

// Close ends all nodes.
func (c *Cluster) Close() error {
	var problems []error
	for i := range c.nodes {
		c.KillNode(i)
		for _, p := range c.proxies[i] {
			if p != nil {
				problems = append(problems, p.close())
			}
		}
	}
	return errors.Join(problems...)
}

// freePorts returns ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
