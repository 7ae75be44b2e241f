package natscluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// node is what a process has to know to be one.
type node struct {
	Name    string   `json:"name"`
	Dir     string   `json:"dir"`
	Clients int      `json:"clients"` // port
	Routes  int      `json:"routes"`  // port
	Peers   []string `json:"peers"`   // where the others are, as this one reaches them
}

// maxPayload is what verobridge asks of a cluster (README, nats.url).
const maxPayload = 32 << 20

const (
	// readyTimeout bounds the start of a node.
	readyTimeout = 30 * time.Second
	// wholeTimeout bounds elections, and what a node has to catch up with.
	wholeTimeout = 2 * time.Minute
)

// Serve is a node of a cluster, as Start describes it in the argument, until ctx
// ends.
func Serve(ctx context.Context, argument string) error {
	var n node
	if err := json.Unmarshal([]byte(argument), &n); err != nil {
		return fmt.Errorf("read what node to be: %w", err)
	}
	o := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Clients, NoSigs: true, Logtime: true,
		JetStream: true, StoreDir: n.Dir, SyncAlways: true, MaxPayload: maxPayload,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: math.MaxInt64 / 2,
		Cluster: server.ClusterOpts{
			Name: "verobridge", Host: "127.0.0.1", Port: n.Routes, PoolSize: -1,
			Advertise: "127.0.0.1:1", // nobody is there: nodes meet through their proxies alone
		},
	}
	for _, peer := range n.Peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: peer})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("configure NATS: %w", err)
	}
	s.ConfigureLogger()
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(readyTimeout) {
		return errors.New("NATS does not start")
	}
	<-ctx.Done()
	return nil
}
