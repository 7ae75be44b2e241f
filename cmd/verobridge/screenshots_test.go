//go:build screenshots

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots are the pages of the console that the documentation shows, and what
// has to be on them first.
var screenshots = []struct{ name, path, ready string }{
	{"overview", "/", `document.querySelector(".spark polyline")?.points.length > 8`},
	{"live", "/live", `document.querySelectorAll(".events > li").length >= 20`},
	{"deliveries", "/deliveries", `document.querySelectorAll("tbody tr").length >= 20`},
	{"emails", "/emails", `document.querySelector("main .funnel") !== null`},
	{"person", "/person?id=user-0008", `document.querySelectorAll("main li, main tbody tr").length > 5`},
	{"setup", "/setup", `document.querySelector("[data-copy]:not([hidden])") !== null`},
}

// TestScreenshots makes docs/images: make screenshots.
func TestScreenshots(t *testing.T) {
	c := newConsoleTab(t, &dev{pace: 40 * time.Millisecond})
	images := filepath.Join("..", "..", "docs", "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		t.Fatal(err)
	}
	c.await(t, "a shop that was busy", `select count(*) > 300 from app.tracks`)
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		if _, err := chromedp.Call(c.tab, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		for _, s := range screenshots {
			c.open(t, s.path)
			c.until(t, s.ready)
			c.do(t, chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(1.25)))
			picture, err := chromedp.Run(c.tab, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(images, s.name+"-"+scheme+".png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
