package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/siege"
	"github.com/verobridge/verobridge/internal/torture"
)

// Under 10,000 slow connections, bombs, forgeries and floods, all at once and from
// other processes, everybody else is served: nothing that was acknowledged is lost,
// and the bridge takes no more memory than promised. How long clients wait depends
// on who else uses the machine; "verobridge torture --scenario siege" judges it.
func TestSiege(t *testing.T) {
	const mostTime = 20 * time.Second // of a batch, on a machine that does ten other things
	report, err := torture.Run(t.Context(), torture.Options{
		Binary: build(t), Scenarios: []string{"siege"}, Cycles: 1, Dir: t.TempDir(), Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Write(t.Output()); err != nil {
		t.Error(err)
	}
	found := report.Results[0]
	if !found.Kept() || !found.Siege.Bounded() {
		t.Errorf("a promise was broken: %+v", found)
	}
	if slowest := slices.Max(found.Siege.Under); slowest > mostTime {
		t.Errorf("a batch took %s", slowest)
	}
	for name, status := range siege.Expected {
		if found.Siege.Attacks[name][strconv.Itoa(status)] == 0 {
			t.Errorf("%s: nobody was answered %d but %v", name, status, found.Siege.Attacks[name])
		}
	}
	for _, name := range []string{"silence", "slow-headers", "slow-bodies", "fat-bodies"} {
		if found.Siege.Attacks[name]["opened"] == 0 {
			t.Errorf("%s: no connection was opened", name)
		}
	}
}

// millionKeys is an event with as many fields as fit.
func millionKeys() []byte {
	var body bytes.Buffer
	body.WriteString(`{"userId":"u","event":"x"`)
	for i := range 280_000 {
		fmt.Fprintf(&body, `,"%07d":0`, i)
	}
	body.WriteString(`}`)
	return body.Bytes()
}

// An event with more fields than any table has columns is refused, whole and
// alone, and kept; headers without end are refused before they are read.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(t, "/v1/track", appKey, millionKeys())
	w.await(t, "the refused event", `select count(*) = 1 from verobridge.rejected_events where reason = 'too_many_fields' and length(body) > 3000000`)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/v1/batch", strings.NewReader(`{"batch":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), maxHeaderBytes)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("endless headers are answered %d", answer.StatusCode)
	}
}
