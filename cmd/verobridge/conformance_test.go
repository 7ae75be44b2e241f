package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// conformance is what an SDK of Segment needs of a server, and where it is
// shown: by tests of the packages that these names begin with.
var conformance = []struct {
	row   string
	shown []string
}{
	{"every SDK delivers the six types of calls", []string{
		"cmd/verobridge.TestBothDirectionsEndToEnd", "cmd/verobridge.TestNodeSDKs", "cmd/verobridge.TestBrowserSDK",
		"cmd/verobridge.TestCapturedRequestsBecomeRows", "ingest.TestAnalyticsGo",
	}},
	{"//v1/batch, /v1/import/ and /v1/batch?x=1 are accepted without a redirect", []string{"ingest.TestPaths", "ingest.TestNoRedirects"}},
	{"success is 200 with a JSON object whose success is true, on every path", []string{"ingest.TestPaths", "ingest.TestOpenAPIExamplesAreAccepted"}},
	{"Basic with and without colon, body key only, both, agreeing or not, Bearer and body key", []string{"ingest.TestWriteKeys"}},
	{"gzip, gzip in chunks, no Content-Type, text/plain, a charset", []string{"ingest.TestBodies", "ingest.TestChunkedGzip"}},
	{"a gzip bomb is stopped, a gzip stream that was cut is 400", []string{"ingest.TestHostileBodies", "ingest.TestBodies", "cmd/verobridge.TestSiege"}},
	{"a batch with NaN is stored, with null", []string{"ingest.TestFidelity", "ingest.TestWire", "cmd/verobridge.TestCapturedRequestsBecomeRows"}},
	{"a batch of 3.6 MB is accepted", []string{"ingest.TestLargestKnownBatch"}},
	{"bad events in a batch do not keep the others out", []string{"ingest.TestBatchJudgesEachEvent", "cmd/verobridge.TestRejectedEventsEndToEnd"}},
	{"the envelope's library is that of each event", []string{"ingest.TestAnalyticsGo", "cmd/verobridge.TestNodeSDKs", "cmd/verobridge.TestCapturedRequestsBecomeRows"}},
	{"integrations: all and All, objects, Warehouses, and All: false reaches the warehouse", []string{"outbound.TestPlanGolden", "warehouse.TestSkipsWhatIsNotForTheWarehouse"}},
	{"times: skew, no sentAt, no timestamp, sentAt in the event, nanoseconds, offsets", []string{"internal/event.TestTimestamp", "cmd/verobridge.TestTimesArriveInPostgres"}},
	{"what a browser asks before it sends", []string{"ingest.TestCORS", "cmd/verobridge.TestBrowserSDK", "cmd/verobridge.TestBrowserSDKRetries"}},
	{"one messageId is one event: in a batch, across batches, after a restart", []string{"cmd/verobridge.TestSameMessageIDIsOneRow"}},
	{"429 and 503 say when to come again", []string{"ingest.TestRateLimit", "ingest.TestSpoolFails", "ingest.TestBodiesShareTheirMemory", "cmd/verobridge.TestBrowserSDKRetries"}},
	{"the settings document keeps an SDK here", []string{"ingest.TestSettingsKeepSDKsHere", "cmd/verobridge.TestBrowserSDK"}},
	{"the pixel, in base64 and flattened, is always an image", []string{"ingest.TestPixel", "ingest.TestPixelAlwaysShows"}},
	{"kill -9 after the 200: the event is loaded all the same", []string{"cmd/verobridge.TestTortureLosesNothing"}},
	{"numbers, times, texts and unknown fields arrive as sent", []string{"ingest.TestFidelity", "cmd/verobridge.TestScalarsArriveInPostgresAsSent"}},
	{"hostile requests are refused in bounded memory while others are served", []string{"ingest.TestHostileBodies", "cmd/verobridge.TestSiege", "cmd/verobridge.TestHugeRequests"}},
	{"a public write key harms nobody", []string{"cmd/verobridge.TestPublicWriteKeyHarmsNobody", "cmd/verobridge.TestPublicWriteKeyAtTheDoor", "ingest.TestBrowserOrigins"}},
}

// The table leads somewhere: each test in it exists.
func TestConformanceIsShown(t *testing.T) {
	t.Parallel()
	exists := testsBelow(t, "../..")
	for _, c := range conformance {
		if len(c.shown) == 0 {
			t.Errorf("nothing shows that %s", c.row)
		}
		for _, name := range c.shown {
			if !exists[name] {
				t.Errorf("%s is to show that %s, and does not exist", name, c.row)
			}
		}
	}
}

// testsBelow returns the tests in a folder and those below it, each with its
// package's folder in front.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				found[filepath.ToSlash(folder)+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
