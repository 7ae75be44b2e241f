package main

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// alertRule is a rule of docs/monitoring/alerts.yml.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string      `yaml:"name"`
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Load([]byte(readDoc(t, "docs/monitoring/alerts.yml")), &file, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("the rules are %+v", file)
	}
	return file.Groups[0].Rules
}

// dashboardExpressions returns what the panels of the dashboard ask for.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
			GridPos struct{ X, Y, W, H int } `json:"gridPos"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(readDoc(t, "docs/monitoring/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	seen, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range dashboard.Panels {
		if seen[p.ID] || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d, %q, has no number of its own, or asks for nothing", p.ID, p.Title)
		}
		seen[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	// selectors are metrics with the labels that they are asked for with.
	selectors = regexp.MustCompile(`((?:verobridge|process)_[a-z_]+)(\{[^}]*\})?`)
	matchers  = regexp.MustCompile(`([a-z_]+)(?:!~|=~|!=|=)"`)
	grouping  = regexp.MustCompile(`\bby \(([^)]*)\)`)
	templated = regexp.MustCompile(`\$labels\.([a-z_]+)`)
)

// scraped are the metrics that a page has, each with its labels.
func scraped(page string) map[string][]string {
	metrics := make(map[string][]string)
	label := regexp.MustCompile(`([a-z_]+)="`)
	for line := range strings.Lines(page) {
		name, _, _ := strings.Cut(strings.Fields(line)[0], "{")
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, l := range label.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(metrics[name], l[1]) {
				metrics[name] = append(metrics[name], l[1])
			}
		}
		metrics[name] = append(metrics[name], "job", "instance") // Prometheus adds these
	}
	return metrics
}

// labelsOf returns what the metrics of an expression can be told apart by, and
// fails if one of them, or of the labels it is asked for with, is not there.
func labelsOf(t *testing.T, expr string, metrics map[string][]string) []string {
	t.Helper()
	var labels []string
	found := selectors.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s asks for no metric", expr)
	}
	for _, s := range found {
		has, there := metrics[s[1]]
		if !there {
			t.Errorf("%s: there is no metric %s", expr, s[1])
		}
		for _, m := range matchers.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(has, m[1]) {
				t.Errorf("%s: %s has no label %s", expr, s[1], m[1])
			}
		}
		labels = append(labels, has...)
	}
	for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(label)) {
				t.Errorf("%s: no metric has the label %s", expr, label)
			}
		}
	}
	return labels
}

// What alerts and the dashboard ask for is there, on a bridge through which
// everything has gone once.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(t, shopping())
	w.receive(t)
	w.settle(t, "monitoring")
	_, page := get(t, "http://"+w.bridge.adminAddr+"/metrics", "")
	metrics := scraped(page)
	for _, expr := range dashboardExpressions(t) {
		labelsOf(t, expr, metrics)
	}
	functions := template.FuncMap{"humanize": str, "humanizeDuration": str, "humanizePercentage": str}
	for _, rule := range alertRules(t) {
		labels := labelsOf(t, rule.Expr, metrics)
		for name, text := range rule.Annotations {
			if _, err := template.New(name).Funcs(functions).Parse("{{$labels := .}}{{$value := .}}" + text); err != nil {
				t.Errorf("%s: %s: %v", rule.Alert, name, err)
			}
			for _, label := range templated.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(labels, label[1]) {
					t.Errorf("%s: %s has no label %s to show", rule.Alert, name, label[1])
				}
			}
		}
	}
}

func str(any) string { return "" }

// Each alert has a severity, a text, and a section that says what to do.
func TestAlertsAreExplained(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "docs/monitoring.md")
	var explained, alerts []string
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		explained = append(explained, heading[1])
	}
	for _, rule := range alertRules(t) {
		alerts = append(alerts, rule.Alert)
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", rule.Alert, severity)
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.For == "" {
			t.Errorf("%s says too little", rule.Alert)
		}
		if want := "docs/monitoring.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
			t.Errorf("%s leads to %s, want %s", rule.Alert, rule.Annotations["runbook_url"], want)
		}
	}
	if !slices.Equal(alerts, explained) {
		t.Errorf("the alerts are %v, those explained %v", alerts, explained)
	}
}

// The age of what waits is a metric: it grows while a destination is down, and is
// nothing when it has caught up.
func TestBehindIsMeasured(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: "another"})
	s := testSettings(t, serve(t, vero))
	w := &world{bridge: startTestBridge(t, s, slog.New(slog.DiscardHandler))}
	w.url = "http://" + w.bridge.publicAddr
	w.post(t, "/v1/track", appKey, []byte(`{"userId":"u","event":"X"}`))
	value := func(line string) string {
		_, page := get(t, "http://"+w.bridge.adminAddr+"/metrics", "")
		_, rest, _ := strings.Cut(page, "\n"+line+" ")
		number, _, _ := strings.Cut(rest, "\n")
		return number
	}
	awaitCondition(t, "the paused destination to be behind", func() bool {
		vero, loaded := value(`verobridge_destination_behind_seconds{destination="vero"}`), value(`verobridge_destination_behind_seconds{destination="warehouse"}`)
		return vero != "" && vero != "0" && loaded == "0" && value(`verobridge_destination_paused{destination="vero"}`) == "1"
	})
}
