package console

import "net/http"

// page is one page of the console. Its template is templates/<view>.html, which
// defines "main".
type page struct {
	// path is where it is, as mux writes it: /people/{id}.
	path string
	view string
	// title is its heading, and its name in the navigation.
	title string
	// about says in a sentence what the page shows.
	about string
	// key goes to the page when it is typed after g. Only pages with one are in
	// the navigation.
	key string
	// data gets what the template shows. A *problem as its error says what the
	// reader can do about it.
	data func(r *http.Request) (any, error)
	// posts says that forms may ask for it with more than fits into an address.
	// It changes nothing all the same.
	posts bool
}

// pages lists all pages, in the order of the navigation.
func (c *Console) pages() []page {
	return []page{
		{path: "/", view: "overview", title: "Overview", about: "What flows, what waits, and what needs you.", key: "o", data: c.overview},
		{path: "/live", view: "live", title: "Live", about: "Events as they come in, and what becomes of them.", key: "l", data: c.live},
		{path: "/deliveries", view: "deliveries", title: "Deliveries", about: "What became of each event at each destination, the newest first.", key: "d", data: c.deliveries},
		{path: "/deliveries/retry", view: "retry", title: "Send dead letters again", data: c.confirmRetry, posts: true},
		{path: "/person", view: "person", title: "Person", about: "What somebody did, what Vero got of it, and the emails that followed.", key: "p", data: c.person},
		{path: "/event", view: "event", title: "Event", about: "What became of one event, and why.", data: c.event},
		{path: "/emails", view: "emails", title: "Emails", about: "What became of the emails that Vero sent, by campaign and by day.", key: "e", data: c.emails},
		{path: "/tables", view: "tables", title: "Tables", about: "What is in the warehouse, how fresh it is, and what did not fit.", key: "t", data: c.tables},
		{path: "/mapping", view: "mapping", title: "Mapping", about: "What Vero would get of an event, and what each preset would make of it. Nothing is sent.", key: "m", data: c.mapping, posts: true},
		{path: "/setup", view: "setup", title: "Setup", about: "What an app and Vero need to send here, and a test event to see that it works.", key: "s", data: c.setup},
		{path: "/setup/test", view: "trial", title: "Test event", about: "One event, from an app to its end.", data: c.trial},
	}
}

// Paths lists where the pages are, as mux writes it: /events/{source}/{id:.*}.
func (c *Console) Paths() []string {
	var paths []string
	for _, p := range c.pages() {
		paths = append(paths, p.path)
	}
	return paths
}

// action is what a form does. It is a POST, and leads to a page.
type action struct {
	path string
	// do returns where to go on.
	do func(r *http.Request) (location string, err error)
}

// actions lists what the forms on the pages do.
func (c *Console) actions() []action {
	return []action{
		{"/deliveries/retry/send", c.retry},
		{"/setup/test/send", c.beginTrial},
	}
}

// stream is what a page is told while it is open, as server-sent events.
type stream struct {
	path  string
	serve http.HandlerFunc
}

// streams lists what pages are told live.
func (c *Console) streams() []stream {
	return []stream{
		{"/stream", c.streamOverview},
		{"/live/stream", c.streamLive},
		{"/setup/test/stream", c.streamTrial},
	}
}
