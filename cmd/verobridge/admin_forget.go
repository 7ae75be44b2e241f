package main

import (
	"net/http"
	"net/url"

	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/warehouse"
)

// forgetLine says how far an erasure is: a step that is done, or, last, the
// receipt.
type forgetLine struct {
	Step    string          `json:"step,omitempty"`
	Deleted int             `json:"deleted,omitempty"`
	Receipt *people.Receipt `json:"receipt,omitempty"`
}

// namedBy reads by what an erasure names a person.
func namedBy(q url.Values) []people.Identifier {
	return []people.Identifier{
		{Kind: people.User, Value: q.Get("user_id")},
		{Kind: people.Email, Value: q.Get("email")},
		{Kind: people.Anonymous, Value: q.Get("anonymous_id")},
	}
}

// planForget answers GET /api/forget with what an erasure would delete.
func (b *bridge) planForget(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	found, err := b.people.Find(r.Context(), b.eraserOptions(), namedBy(r.URL.Query()))
	if err != nil {
		out.fail(err)
		return
	}
	_ = out.write(found) // the client may have gone
}

// forget answers POST /api/forget: it forgets a person, and writes a line for
// each step. Whoever goes away ends it; to ask again goes on with it.
func (b *bridge) forget(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	o := b.eraserOptions()
	o.Progress = func(step string, deleted int) {
		_ = out.write(forgetLine{Step: step, Deleted: deleted}) // if the client has gone, the context ends
		out.flush()
	}
	receipt, err := b.people.Erase(r.Context(), o, namedBy(r.URL.Query()))
	if err != nil {
		out.fail(err)
		return
	}
	b.log.Info("a person was erased", "erasure", receipt.ID, "finished", !receipt.FinishedAt.IsZero())
	_ = out.write(forgetLine{Receipt: &receipt})
}

// eraserOptions say where people are forgotten.
func (b *bridge) eraserOptions() people.EraserOptions {
	o := people.EraserOptions{Kept: b.spool.Forget, Remote: b.forgetters}
	if b.settings.NATS.URL != "" {
		o.Others = refreshShared + deliveryTime
	}
	for _, s := range b.settings.Sources {
		o.Schemas = append(o.Schemas, warehouse.SchemaName(s.Name))
	}
	return o
}
