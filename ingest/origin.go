package ingest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// anyOrigin in a source's Origins allows all of them, and requests that name
// none, as those of mobile apps.
const anyOrigin = "*"

// allows says whether the request may use the source's write keys, by the web
// origin that it comes from.
//
// That stops other web sites from using a key in the browsers of their
// visitors, since no page can choose the origin that a browser sends. It stops
// no program that is not a browser: what protects people from those is that a
// destination trusts no event of a browser source.
func (s *Source) allows(r *http.Request) bool {
	if len(s.Origins) == 0 || slices.Contains(s.Origins, anyOrigin) {
		return true
	}
	origin := r.Header.Get("Origin")
	if s.Browser && origin == "" {
		origin = refererOrigin(r)
	}
	if origin == "" {
		// A server names no origin. A browser does for every POST and every
		// fetch, so what comes with a browser's key and without an origin comes
		// from no page.
		return !s.Browser
	}
	return slices.ContainsFunc(s.Origins, func(allowed string) bool { return strings.EqualFold(allowed, origin) })
}

// refererOrigin returns the origin of the page that asks for an image, for
// which a browser sends no Origin, or "".
func refererOrigin(r *http.Request) string {
	page, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || page.Scheme == "" || page.Host == "" {
		return ""
	}
	return page.Scheme + "://" + page.Host
}
