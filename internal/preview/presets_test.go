package preview_test

import (
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/preview"
	"github.com/verobridge/verobridge/outbound"
)

// Each preset maps by its own rules, and the one in the settings does what is done
// now.
func TestCompare(t *testing.T) {
	t.Parallel()
	mapper := func(preset string) *preview.Mapper {
		vero, err := outbound.NewVero(outbound.VeroOptions{Name: "vero", AuthToken: "token", Preset: preset})
		if err != nil {
			t.Fatal(err)
		}
		return &preview.Mapper{Vero: vero, URL: "https://vero.test", Accept: func(event.Event) (bool, delivery.Reason) { return true, "" }}
	}
	c := preview.Comparer{
		Destination: "vero", Source: "app", Preset: outbound.PresetSegment, Now: mapper(outbound.PresetSegment),
		Presets: make(map[string]*preview.Mapper), Names: outbound.Presets(),
	}
	for _, name := range c.Names {
		c.Presets[name] = mapper(name)
	}
	calls, err := preview.ParseCalls([]byte(`{"type":"page","messageId":"m1","userId":"7","name":"Pricing"}`), "app", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := c.Compare(calls[0])
	if len(got.Presets) != len(outbound.Presets()) {
		t.Fatalf("%d presets", len(got.Presets))
	}
	bodies := make(map[string]bool)
	for i, p := range got.Presets {
		if p.Preset != c.Names[i] || p.Current != (p.Preset == outbound.PresetSegment) || p.Current && !p.Same {
			t.Errorf("preset %s: current %t, same %t", p.Preset, p.Current, p.Same)
		}
		for _, r := range p.Requests {
			bodies[string(r.Body)] = true
		}
	}
	if len(bodies) < 3 {
		t.Errorf("the presets send the same: %v", bodies)
	}
}
