package preview

import "slices"

// Comparer says what becomes of calls at a Vero destination as the settings have
// it, and what would with each preset in place of theirs.
type Comparer struct {
	// Destination is its name.
	Destination string
	// Source is the one that calls come from where nobody says: the first that
	// sends to the destination.
	Source string
	// Preset is the one in the settings.
	Preset string
	// Now maps by the settings as they are.
	Now *Mapper
	// Presets map by the settings with another preset, in the order of Names.
	Presets map[string]*Mapper
	// Names are the presets, in the order in which they are shown.
	Names []string
}

// Comparison is what becomes of one call, now and with each preset.
type Comparison struct {
	Now     Result
	Presets []PresetResult
}

// PresetResult is what would become of a call with a preset.
type PresetResult struct {
	Preset string
	// Current says that it is the preset of the settings, Same that it sends the
	// very requests that are sent now.
	Current, Same bool
	Result
}

// Compare maps the call in every way.
func (c *Comparer) Compare(call Call) Comparison {
	comparison := Comparison{Now: c.Now.Map(call)}
	for _, name := range c.Names {
		result := c.Presets[name].Map(call)
		comparison.Presets = append(comparison.Presets, PresetResult{
			Preset: name, Current: name == c.Preset, Same: sameRequests(comparison.Now, result), Result: result,
		})
	}
	return comparison
}

func sameRequests(a, b Result) bool {
	return slices.EqualFunc(a.Requests, b.Requests, func(a, b Request) bool {
		return a.Method == b.Method && a.URL == b.URL && string(a.Body) == string(b.Body)
	})
}
