package sdktest

import "testing"

// NodeSDKs returns the SDKs for Node.js, by the names under which package.json
// has them.
func NodeSDKs() []string { return []string{"node-3", "node-2", "node-1", "node-classic"} }

// Send makes all six calls with one of NodeSDKs for a person of the given
// userId, and waits until the SDK says that it has delivered them:
//
//	identify  traits {email: <userId>@example.com, plan: pro}
//	track     Order Completed, properties {order_id: o-1, total: 9.99}
//	page      Home
//	screen    Main
//	group     g1, traits {name: Acme}
//	alias     from old-<userId>
//
// An SDK that reports a failure fails the test.
func Send(t testing.TB, sdk, url, writeKey, userID string) {
	t.Helper()
	node(t, "send.cjs", sdk, url, writeKey, userID)
}

// Snippet returns the official snippet for the head of a web page, as a script
// element. host is where the page gets the SDK from; options are JSON for
// analytics.load, "" for none.
func Snippet(t testing.TB, host, writeKey, options string) string {
	t.Helper()
	return node(t, "snippet.cjs", host, writeKey, options)
}
