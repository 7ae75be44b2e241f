package console

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// view is a page's template within the layout.
type view struct{ template *template.Template }

// parseViews reads the templates: layout.html and parts.html are in all of them.
func (c *Console) parseViews(files fs.FS) (map[string]*view, error) {
	shared, err := template.New("layout").Funcs(c.functions()).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the console's layout: %w", err)
	}
	found, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list the console's templates: %w", err)
	}
	views := make(map[string]*view)
	for _, file := range found {
		own, err := shared.Clone()
		if err == nil {
			_, err = own.ParseFS(files, file)
		}
		if err != nil {
			return nil, fmt.Errorf("parse the console's %s: %w", file, err)
		}
		views[strings.TrimSuffix(path.Base(file), ".html")] = &view{own}
	}
	return views, nil
}

// fragment makes one part of a view, for what is sent live.
func (c *Console) fragment(view, part string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := c.views[view].template.ExecuteTemplate(&out, part, data); err != nil {
		return nil, fmt.Errorf("show %s of %s: %w", part, view, err)
	}
	return out.Bytes(), nil
}

// frame is what the layout shows around a page.
type frame struct {
	Title, About string
	Nav          []navItem
	// Locked says that there is a password, and so a way to log out.
	Locked  bool
	Version string
	Main    any
}

type navItem struct {
	Path, Title, Key string
	Current          bool
}

// render answers with a page. What fails on the way fails before the first byte.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, view string, f frame) {
	f.Locked, f.Version = c.lock.locked(), c.o.Version
	out, err := c.fragment(view, "layout", f)
	if err != nil {
		c.log.Error("a page of the console cannot be shown", "path", r.URL.Path, "error", err)
		http.Error(w, "verobridge made a mistake; its log says which, please report it", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out) // the client may have gone
}

// nav is the navigation, as it looks on a path.
func (c *Console) nav(current string) []navItem {
	var items []navItem
	for _, p := range c.pages() {
		if p.key != "" {
			inside := current == p.path || p.path != "/" && strings.HasPrefix(current, p.path+"/")
			items = append(items, navItem{p.path, p.title, p.key, inside})
		}
	}
	return items
}
