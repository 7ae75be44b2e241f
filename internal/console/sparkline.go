package console

import (
	"fmt"
	"html/template"
	"strings"
)

// sparkWidth and sparkHeight are the size of a sparkline in its own units.
const (
	sparkWidth  = 120
	sparkHeight = 28
)

// sparkline draws values as a line with the area below it, from 0 to the largest.
// It is a picture beside the numbers, not instead of them, so a screen reader
// passes it over.
func sparkline(values []float64) template.HTML {
	var line strings.Builder
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	for i, v := range values {
		x, y := 0.0, float64(sparkHeight-1)
		if len(values) > 1 {
			x = float64(i) / float64(len(values)-1) * sparkWidth
		}
		if most > 0 {
			y -= v / most * (sparkHeight - 3)
		}
		fmt.Fprintf(&line, "%.1f,%.1f ", x, y)
	}
	points := strings.TrimSpace(line.String())
	if len(values) < 2 {
		points = fmt.Sprintf("0,%d %d,%d", sparkHeight-1, sparkWidth, sparkHeight-1)
	}
	//nolint:gosec // made of numbers alone
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %[1]d %[2]d" preserveAspectRatio="none" aria-hidden="true">`+
		`<polygon points="0,%[2]d %[3]s %[1]d,%[2]d"/><polyline points="%[3]s"/></svg>`, sparkWidth, sparkHeight, points))
}
