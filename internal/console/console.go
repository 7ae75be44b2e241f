package console

import (
	"cmp"
	"context"
	"embed"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/live"
	"github.com/verobridge/verobridge/internal/story"
)

//go:embed templates/*.html static/*
var files embed.FS

// pageTimeout bounds what one page may ask for.
const pageTimeout = 10 * time.Second

// Options say what the console shows, and to whom.
type Options struct {
	// Password opens the console. Defaults to none: then everybody may look who
	// reaches it, and it is on whoever serves it that nobody else does.
	Password string
	// Version is shown on every page. Defaults to none.
	Version string
	// Sources and Destinations are the names of those in the settings, the
	// warehouse among the destinations.
	Sources, Destinations []string
	// Routes names the destinations of each source, without the warehouse.
	Routes map[string][]string
	// Feed tells what comes in this moment. Required.
	Feed *live.Feed
	// Story reads what happened. Required.
	Story *story.Store
	// DeadLetters are counted and sent again. Required.
	DeadLetters DeadLetters
	// Mapping says what Vero would get. Defaults to nothing, for settings without
	// a destination of type vero.
	Mapping Mapping
	// Setup is what an app and Vero need to be connected.
	Setup Setup
	// Erased says that an event is of somebody who was erased. Defaults to none.
	Erased func(event.Event) bool
	// State says how the bridge stands. Defaults to nothing to show.
	State func(ctx context.Context) (State, error)
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Console serves the pages. It is an http.Handler.
type Console struct {
	o        Options
	log      *slog.Logger
	lock     *lock
	sessions *sessions
	assets   assets
	views    map[string]*view
	history  *history
	letters  *letterCounter
	trials   trials
	handler  http.Handler
	working  sync.WaitGroup
	// closing ends what would go on by itself.
	closing context.Context
	close   context.CancelFunc
}

// New returns the console. Close it before the server that it is served by.
func New(o Options) (*Console, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Erased == nil {
		o.Erased = func(event.Event) bool { return false }
	}
	c := &Console{
		o:        o,
		log:      cmp.Or(o.Logger, slog.Default()),
		lock:     newLock(o.Password, o.Now),
		sessions: newSessions(o.Now),
		history:  newHistory(),
		letters:  &letterCounter{letters: o.DeadLetters},
	}
	c.closing, c.close = context.WithCancel(context.Background())
	var err error
	if c.assets, err = readAssets(files); err != nil {
		return nil, err
	}
	if c.views, err = c.parseViews(files); err != nil {
		return nil, err
	}
	c.handler = c.routes()
	if o.State != nil {
		c.working.Go(func() { c.history.sample(c.closing, o.State) })
	}
	return c, nil
}

// Close ends what is being watched live, so that a server can shut down.
func (c *Console) Close() {
	c.close()
	c.working.Wait()
}

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// routes puts the pages behind the login, and everything behind the headers.
func (c *Console) routes() http.Handler {
	router := mux.NewRouter()
	get := func(path string, h http.HandlerFunc) {
		router.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead)
	}
	get("/static/{name}", c.assets.serve)
	get("/login", c.showLogin)
	router.HandleFunc("/login", c.login).Methods(http.MethodPost)
	router.HandleFunc("/logout", c.logout).Methods(http.MethodPost)
	for _, p := range c.pages() {
		get(p.path, c.withSession(c.show(p)))
		if p.posts {
			router.HandleFunc(p.path, c.withSession(c.show(p))).Methods(http.MethodPost)
		}
	}
	for _, a := range c.actions() {
		router.HandleFunc(a.path, c.withSession(c.act(a))).Methods(http.MethodPost)
	}
	for _, s := range c.streams() {
		get(s.path, c.withSession(s.serve))
	}
	router.NotFoundHandler = c.withSession(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, &problem{http.StatusNotFound, "There is no such page", "Choose one from the navigation.", nil})
	})
	router.MethodNotAllowedHandler = c.withSession(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, &problem{http.StatusMethodNotAllowed, "This cannot be done here", "Go back, load the page again, and try once more.", nil})
	})
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, &problem{http.StatusForbidden, "This came from another site", "Open the console itself, and do it there.", nil})
	}))
	return withHeaders(foreign.Handler(router))
}
