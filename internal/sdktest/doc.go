// Package sdktest runs the real Segment SDKs, so that tests can show what
// arrives when an application changes one host name and nothing else.
//
//	testdata/package.json       the SDKs of npm, each with its exact version
//	testdata/package-lock.json  and what they depend on, by hash
//	testdata/send.cjs           makes all six calls with one of them, on Node.js
//	testdata/snippet.cjs        prints the official snippet for a web page
//
// Captured reads what SDKs have sent, byte by byte.
//
// The SDKs are installed by npm ci into the user's cache directory, once for
// each version of testdata; a test that needs them needs the network the first
// time. The browser is the machine's own Chromium, driven by chromedp. What is
// missing fails the test and says how to install it: no test is skipped.
//
// analytics-go needs none of this; tests import it.
package sdktest
