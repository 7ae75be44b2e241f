package console

import (
	"fmt"
	"html/template"
	"strings"
)

// The charts are pictures beside tables of the same numbers, so a screen reader
// passes them over. They are drawn in units of their own and stretched; colours
// come from the style sheet, and no series is known by its colour alone.

// bar draws two shares of a whole, one after the other.
func bar(first, second float64) template.HTML {
	//nolint:gosec // made of numbers alone
	return template.HTML(fmt.Sprintf(`<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">`+
		`<rect class="human" width="%.2f" height="10"/><rect class="machine" x="%.2f" width="%.2f" height="10"/></svg>`,
		100*first, 100*first, 100*second))
}

// dayChart draws a column for each day: emails sent as the wide one, opened by
// humans as a narrower one in it, clicked by humans as the narrowest.
func dayChart(days []emailDay) template.HTML {
	const height, width = 100.0, 10.0
	most := int64(1)
	for _, d := range days {
		most = max(most, d.Sent, d.OpenedByHuman)
	}
	var columns strings.Builder
	column := func(class string, day int, n int64, wide float64) {
		if n > 0 {
			tall := max(float64(n)/float64(most)*height, 0.8)
			fmt.Fprintf(&columns, `<rect class="%s" x="%.1f" y="%.2f" width="%.1f" height="%.2f"/>`,
				class, float64(day)*width+(width-wide)/2, height-tall, wide, tall)
		}
	}
	for i, d := range days {
		fmt.Fprintf(&columns, "<g><title>%s: %s sent, %s opened and %s clicked by humans</title>",
			d.Day.Format("2 Jan"), formatCount(int(d.Sent)), formatCount(int(d.OpenedByHuman)), formatCount(int(d.ClickedByHuman)))
		fmt.Fprintf(&columns, `<rect class="day" x="%.1f" width="%.0f" height="%.0f"/>`, float64(i)*width, width, height)
		column("sent", i, d.Sent, 8)
		column("opened", i, d.OpenedByHuman, 5)
		column("clicked", i, d.ClickedByHuman, 2)
		columns.WriteString("</g>")
	}
	//nolint:gosec // made of numbers and dates alone
	return template.HTML(fmt.Sprintf(`<svg class="days" viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" aria-hidden="true">%s</svg>`,
		width*float64(len(days)), height, columns.String()))
}
