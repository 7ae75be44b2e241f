package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/siege"
)

const (
	// quietTime is how long the bridge is left in peace before a siege, to see
	// what its clients are used to.
	quietTime = 3 * time.Second
	// siegeTime is how long it is besieged once all attackers are there.
	siegeTime = 6 * time.Second
	// mostMemory bounds what the bridge may take from the machine under siege: five
	// times what bodies may take, which the garbage collector doubles.
	mostMemory = 640 << 20
	// slowdown is how many times longer clients may wait under siege than in
	// quiet, and unnoticed a wait that nobody minds, however quick it is in quiet.
	slowdown  = 2
	unnoticed = 50 * time.Millisecond
)

// army is the attackers, a process each. Some send from the address of everybody
// else, as behind a proxy, some from one of their own.
var army = []struct {
	from   string
	orders []siege.Order
}{
	{"127.0.0.1", []siege.Order{{Attack: "slow-headers", Strength: 4000}}},
	{"127.0.0.2", []siege.Order{{Attack: "slow-bodies", Strength: 4000}}},
	{"127.0.0.3", []siege.Order{{Attack: "silence", Strength: 1950}, {Attack: "fat-bodies", Strength: 50}}},
	{"127.0.0.1", []siege.Order{
		{Attack: "gzip-bomb", Strength: 5},
		{Attack: "deep-json", Strength: 20},
		{Attack: "wide-json", Strength: 2},
		{Attack: "header-flood", Strength: 10},
	}},
	{"127.0.0.4", []siege.Order{
		{Attack: "forged-webhook", Strength: 20},
		{Attack: "replayed-webhook", Strength: 10},
		{Attack: "stolen-key", Strength: 20},
		{Attack: "foreign-page", Strength: 20},
	}},
}

// Siege is what was measured of one.
type Siege struct {
	// Quiet and Under are the times that batches waited to be acknowledged, before
	// and during the siege, refusals and repetitions included.
	Quiet, Under []time.Duration
	// Memory is the most that the bridge took from the machine, in bytes; 0 where
	// the system does not say.
	Memory int64
	// Attacks counts what the attackers met.
	Attacks siege.Tally
}

// besiege lets all attackers come at once, for a while.
func besiege(ctx context.Context, w *world) (err error) {
	if w.siege == nil {
		w.siege = &Siege{Attacks: make(siege.Tally)}
	}
	w.ledger.takeLatencies()
	pause(ctx, quietTime)
	w.siege.Quiet = append(w.siege.Quiet, w.ledger.takeLatencies()...)

	var attackers []*attacker
	defer func() {
		for _, a := range attackers {
			tally, problem := a.stop()
			err = errors.Join(err, problem)
			w.siege.Attacks.Add(tally)
		}
	}()
	for _, troop := range army {
		a, err := w.launchAttacker(ctx, troop.from, troop.orders)
		if err != nil {
			return err
		}
		attackers = append(attackers, a)
	}
	for _, a := range attackers {
		if err := a.awaitHolding(ctx); err != nil {
			return err
		}
	}
	pause(ctx, siegeTime)
	w.siege.Under = append(w.siege.Under, w.ledger.takeLatencies()...)
	w.siege.Memory, err = peakMemory(w.process.PID())
	return err
}

// attacker is a process that attacks until its input ends.
type attacker struct {
	command *exec.Cmd
	input   io.Closer
	output  *bufio.Reader
}

func (w *world) launchAttacker(ctx context.Context, from string, orders []siege.Order) (*attacker, error) {
	arguments := []string{
		"torture", "attack", strings.TrimPrefix(w.process.URL, "http://"), "--from", from,
		"--write-key", appKey, "--browser-key", webKey, "--origin", webOrigin, "--webhook-key", veroKey,
	}
	for _, o := range orders {
		arguments = append(arguments, o.String())
	}
	command := exec.CommandContext(ctx, w.process.Binary, arguments...) //nolint:gosec // our own binary
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = w.process.Log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start an attacker: %w", err)
	}
	return &attacker{command, input, bufio.NewReader(output)}, nil
}

// awaitHolding waits until the attacker has had all its connections.
func (a *attacker) awaitHolding(ctx context.Context) error {
	arrived := make(chan error, 1)
	go func() {
		_, err := a.output.ReadString('\n')
		arrived <- err
	}()
	select {
	case err := <-arrived:
		if err != nil {
			return fmt.Errorf("an attacker does not begin: %w", err)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("an attacker could not connect as often as it should within %s", patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the attack and returns what came of it.
func (a *attacker) stop() (siege.Tally, error) {
	_ = a.input.Close()
	var tally siege.Tally
	told := json.NewDecoder(a.output).Decode(&tally)
	return tally, errors.Join(told, a.command.Wait())
}

// percentile returns the wait that a share of all waits does not exceed.
func percentile(waits []time.Duration, share float64) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// OK says whether clients were served as promised, in the memory that is
// promised.
func (s *Siege) OK() bool { return s.Bounded() && s.Served() }

// Bounded says whether the bridge took no more memory than is promised.
func (s *Siege) Bounded() bool { return s.Memory <= mostMemory }

// Served says whether 99 of 100 batches were acknowledged in at most twice the time
// that they take in quiet. On a machine that others use as well it says little.
func (s *Siege) Served() bool {
	return percentile(s.Under, 0.99) <= max(unnoticed, slowdown*percentile(s.Quiet, 0.99))
}

// String says what clients noticed.
func (s *Siege) String() string {
	of := func(waits []time.Duration) string {
		return fmt.Sprintf("p50 %s, p99 %s, longest %s of %d batches",
			percentile(waits, 0.5).Round(100*time.Microsecond), percentile(waits, 0.99).Round(100*time.Microsecond),
			percentile(waits, 1).Round(100*time.Microsecond), len(waits))
	}
	return fmt.Sprintf("in quiet %s; under siege %s; %d MiB of memory at most", of(s.Quiet), of(s.Under), s.Memory>>20)
}
