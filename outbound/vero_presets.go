package outbound

// The values of VeroOptions.Preset.
const (
	// PresetDefault is what serves Vero's templates and deliverability best.
	PresetDefault = "default"
	// PresetNone is the default one with event names and properties as the app
	// sends them.
	PresetNone = "none"
	// PresetSegment sends what Segment's own destination for Vero does
	// (segmentio/integration-vero 3.2.0; segment-docs, Vero destination).
	PresetSegment = "segment"
	// PresetRudderStack sends what RudderStack's does
	// (rudder-transformer, destinations/vero).
	PresetRudderStack = "rudderstack"
)

// Presets returns the names of all presets, the default one first.
func Presets() []string {
	return []string{PresetDefault, PresetNone, PresetSegment, PresetRudderStack}
}

// presets are values of options and nothing else, so that each option can be
// set apart from the others. What protects people is no option: the guard
// against loops and the limits of browsers hold in all of them.
var presets = map[string]Mapping{
	PresetDefault: presetDefault,
	PresetNone:    Mapping{Names: asNone}.over(presetDefault),
	PresetSegment: {
		Names:       asNone,
		ID:          []string{idOfUser},
		Email:       asSegment,
		Traits:      asSegment,
		Nulls:       nullsDrop,
		Context:     asSegment,
		Push:        asNone,
		Page:        asSegment,
		Screen:      asNone,
		Group:       groupUsersEdit,
		Unsubscribe: asSegment,
		CreatedAt:   createdAtUnix,
		Source:      sourceSegment,
		Dedup:       asNone,
	},
	PresetRudderStack: {
		Names:       asNone,
		ID:          []string{idOfUser, idOfTraits, idOfAnonymous},
		Email:       asRudderStack,
		Traits:      asRudderStack,
		Nulls:       nullsKeep,
		Context:     asRudderStack,
		Push:        asRudderStack,
		Page:        asRudderStack,
		Screen:      asRudderStack,
		Group:       asNone,
		Unsubscribe: asRudderStack,
		CreatedAt:   asNone,
		Source:      asNone,
		Dedup:       dedupTimestamp,
	},
}

var presetDefault = Mapping{
	Names:       asDefault,
	ID:          []string{idOfUser, idOfTraits, idOfEmail},
	Email:       asDefault,
	Traits:      asDefault,
	Nulls:       nullsKeep,
	Context:     asDefault,
	Push:        asDefault,
	Page:        asDefault,
	Screen:      asDefault,
	Group:       groupUsersTrack,
	Unsubscribe: unsubscribeExact,
	CreatedAt:   createdAtISO,
	Source:      sourceSegment,
	Dedup:       dedupMessageID,
}

// sourceSegment is what Segment's destination shows as the source of an event.
// Vero's own reports know it.
const sourceSegment = "segment"

// defaultNames gives the events of Segment's e-commerce spec the names that
// Vero's templates and its other integrations use (Datafly Signal
// documentation, "Vero", event mapping).
var defaultNames = map[string]EventRule{
	"Signed Up":         {Name: "Signed up"},
	"Products Searched": {Name: "Searched products"},
	"Product Viewed":    {Name: "Viewed product", Properties: PropertyRules{Rename: map[string]string{"url": "product_url"}}},
	"Product Added":     {Name: "Added to cart"},
	"Checkout Started":  {Name: "Started checkout"},
	"Order Completed":   {Name: "Completed order"},
}
