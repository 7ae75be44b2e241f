package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/story"
)

// functions are what templates say things with.
func (c *Console) functions() template.FuncMap {
	return template.FuncMap{
		"asset":    c.assets.url,
		"count":    formatCount,
		"rate":     formatRate,
		"bytes":    formatBytes,
		"duration": formatDuration,
		"percent":  formatPercent,
		"ago":      func(t time.Time) string { return formatDuration(c.o.Now().Sub(t)) },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"utc":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"clock":    func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"json":     formatJSON,
		"sentence": func(r delivery.Reason) string { return r.Sentence() },
		"spark":    sparkline,
		"person":   personPath,
		"story":    storyPath,
		"event":    eventPage,

		"number":    func(n int64) string { return formatCount(int(n)) },
		"rows":      formatRows,
		"moment":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") },
		"stepword":  func(what string) string { return strings.TrimPrefix(what, "email_") },
		"letterkey": letterKey,
		"retriable": retriable,
		"cause":     causeOf,
		"repair":    repairCommand,
	}
}

// formatCount writes 1234567 as 1,234,567.
func formatCount(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// plural writes a number of things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return formatCount(n) + " " + many
}

// formatRows writes a number of rows as well as it is known.
func formatRows(n story.Count) string {
	rows := formatCount(int(n.Rows))
	switch n.Precision {
	case story.About:
		return "about " + rows
	case story.AtLeast:
		return rows + " or more"
	default:
		return rows
	}
}

// formatRate writes how much there is a second.
func formatRate(perSecond float64) string {
	switch {
	case perSecond <= 0:
		return "0"
	case perSecond < 0.1:
		return "<0.1"
	case perSecond < 10:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	default:
		return formatCount(int(math.Round(perSecond)))
	}
}

func formatBytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for ; size >= 1000 && unit < len(units)-1; unit++ {
		size /= 1000
	}
	if unit == 0 || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}

func formatPercent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// formatDuration writes a duration in its largest unit, and in the next one where
// that matters.
func formatDuration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// formatJSON indents a JSON value, and leaves alone what is none.
func formatJSON(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// personPath is where a person's page is, by any of the ids.
func personPath(id string) string { return "/person?" + url.Values{"id": {id}}.Encode() }

// storyPath is where the story of an event is.
func storyPath(messageID string) string { return "/event?" + url.Values{"id": {messageID}}.Encode() }
