package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/spool"
	"github.com/verobridge/verobridge/outbound"
)

const (
	// modelEnvironment makes the test's binary a child of the model test, with its
	// data in the folder named there.
	modelEnvironment = "VEROBRIDGE_MODEL_DIR"
	modelAccepted    = "accepted"
)

// runModelChild delivers what comes on the standard input until that ends.
func runModelChild(dir, veroURL string) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := spool.Open(ctx, spool.Options{
		Dir: filepath.Join(dir, "spool"), Destinations: []string{"vero"}, Logger: log,
		Retry: spool.Backoff{Min: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		Probe: spool.Backoff{Min: 5 * time.Millisecond, Max: 50 * time.Millisecond},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	vero, err := outbound.NewVero(outbound.VeroOptions{
		Name: "vero", URL: veroURL, AuthToken: veroToken, AllowPrivate: true, Timeout: 300 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() {
		if err := s.Drain(ctx, vero, spool.DrainOptions{MaxEvents: 20}); err != nil {
			log.Error("drain", "error", err)
		}
	})
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex // of out
	work.Go(func() {
		if err := s.DrainReports(ctx, func(_ context.Context, reports []delivery.Report) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range reports {
				if err := out.Encode(r); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			log.Error("drain reports", "error", err)
		}
	})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var batch []event.Event
		if err := json.Unmarshal(lines.Bytes(), &batch); err != nil {
			return err
		}
		if err := s.Append(ctx, batch...); err != nil {
			return err
		}
		mu.Lock()
		fmt.Println(modelAccepted)
		mu.Unlock()
	}
	return lines.Err()
}
