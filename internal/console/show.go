package console

import (
	"context"
	"errors"
	"net/http"
)

// show answers with a page.
func (c *Console) show(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		data, err := p.data(r.WithContext(ctx))
		if err != nil {
			c.fail(w, r, err)
			return
		}
		c.render(w, r, http.StatusOK, p.view, frame{Title: p.title, About: p.about, Nav: c.nav(r.URL.Path), Main: data})
	}
}

// act does what a form asks for, and goes on to where that leads.
func (c *Console) act(a action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		location, err := a.do(r.WithContext(ctx))
		if err != nil {
			c.fail(w, r, err)
			return
		}
		http.Redirect(w, r, location, http.StatusSeeOther)
	}
}

// maxForm bounds what a form may send.
const maxForm = 1 << 20

// problem is why a page cannot be shown, and what the reader can do about it.
type problem struct {
	status int
	// title says what is wrong, cure what to do.
	title, cure string
	err         error // nil where the reader is the only one to whom it matters
}

func (p *problem) Error() string {
	if p.err != nil {
		return p.title + ": " + p.err.Error()
	}
	return p.title
}

func (p *problem) Unwrap() error { return p.err }

// away is the problem of a page whose data are in the warehouse, when that cannot
// be asked.
func away(err error) error {
	return &problem{
		http.StatusServiceUnavailable, "The warehouse does not answer",
		"This page is made from Postgres, which cannot be asked right now. Nothing is lost: events are accepted, kept and sent meanwhile, and loaded when it is back. Look whether Postgres runs and takes connections; verobridge check says more.",
		err,
	}
}

// fail answers with what is wrong.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{http.StatusInternalServerError, "This page could not be made", "Load it again. If that does not help, the log of verobridge says what went wrong.", err}
	}
	if p.err != nil && r.Context().Err() == nil {
		c.log.Warn("a page of the console has a problem", "path", r.URL.Path, "error", p.err)
	}
	c.render(w, r, p.status, "problem", frame{Title: p.title, Nav: c.nav(r.URL.Path), Main: p.cure})
}
