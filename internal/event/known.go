package event

// WithUser returns the event as one of a known user. It must have no userId of
// its own. The same event and user always make the same bytes.
func (e Event) WithUser(userID string) Event {
	user := newObject(len(userID))
	user.text("userId", userID)
	e.Body = []byte(merge(user.close(), string(e.Body)))
	return e
}

// WithProperty returns the event with a property set to a JSON value. The same
// arguments always make the same bytes.
func (e Event) WithProperty(name, rawValue string) Event {
	property, properties := newObject(len(name)+len(rawValue)), newObject(len(e.Body))
	property.raw(name, rawValue)
	properties.raw("properties", merge([]byte(e.Get("properties").Raw), string(property.close())))
	e.Body = []byte(merge(e.Body, string(properties.close())))
	return e
}
