package main

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/preview"
)

// mapDifference is what becomes of one call under two settings.
type mapDifference struct {
	Old     preview.Result  `json:"old"`
	New     preview.Result  `json:"new"`
	Changes []requestChange `json:"changes"` // none where both send the same
}

// requestChange is one request that only one of two settings makes, or that both
// make with another body.
type requestChange struct {
	Kind   string        `json:"kind"` // added, removed or changed
	Method string        `json:"method"`
	URL    string        `json:"url"`
	Fields []fieldChange `json:"fields"` // of the body
}

// fieldChange is a field of a body with its values, nil for none.
type fieldChange struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
}

// mapSummary counts differences.
type mapSummary struct {
	Events  int `json:"events"`
	Differ  int `json:"differ"` // events
	Added   int `json:"added"`  // requests, as all below
	Removed int `json:"removed"`
	Changed int `json:"changed"`
}

func (s *mapSummary) add(d mapDifference) {
	s.Events++
	if len(d.Changes) > 0 {
		s.Differ++
	}
	for _, c := range d.Changes {
		switch c.Kind {
		case "added":
			s.Added++
		case "removed":
			s.Removed++
		default:
			s.Changed++
		}
	}
}

// compareMapped finds the requests that differ. Those to one endpoint are
// compared in their order.
func compareMapped(before, after preview.Result) mapDifference {
	d := mapDifference{Old: before, New: after, Changes: []requestChange{}}
	counterparts := make(map[string][]preview.Request)
	for _, r := range after.Requests {
		key := r.Method + " " + r.URL
		counterparts[key] = append(counterparts[key], r)
	}
	taken := make(map[string]int)
	for _, r := range before.Requests {
		key := r.Method + " " + r.URL
		if n := taken[key]; n < len(counterparts[key]) {
			taken[key]++
			if other := counterparts[key][n]; !bytes.Equal(r.Body, other.Body) {
				d.Changes = append(d.Changes, requestChange{"changed", r.Method, r.URL, compareBodies(r.Body, other.Body)})
			}
			continue
		}
		d.Changes = append(d.Changes, requestChange{"removed", r.Method, r.URL, compareBodies(r.Body, nil)})
	}
	seen := make(map[string]int)
	for _, r := range after.Requests {
		key := r.Method + " " + r.URL
		if seen[key]++; seen[key] > taken[key] {
			d.Changes = append(d.Changes, requestChange{"added", r.Method, r.URL, compareBodies(nil, r.Body)})
		}
	}
	return d
}

// compareBodies returns the fields that differ, those of the old body first.
func compareBodies(before, after []byte) []fieldChange {
	olds, news := leavesOf(before), leavesOf(after)
	value := make(map[string]json.RawMessage, len(news))
	for _, leaf := range news {
		value[leaf.path] = leaf.value
	}
	changes := []fieldChange{}
	had := make(map[string]bool, len(olds))
	for _, leaf := range olds {
		had[leaf.path] = true
		if now := value[leaf.path]; !bytes.Equal(now, leaf.value) {
			changes = append(changes, fieldChange{leaf.path, leaf.value, now})
		}
	}
	for _, leaf := range news {
		if !had[leaf.path] {
			changes = append(changes, fieldChange{Path: leaf.path, New: leaf.value})
		}
	}
	return changes
}

// leaf is a field of a body that is no object, or an empty one.
type leaf struct {
	path  string
	value json.RawMessage
}

func leavesOf(body []byte) []leaf {
	var leaves []leaf
	var walk func(path string, v gjson.Result)
	walk = func(path string, v gjson.Result) {
		if !v.IsObject() || v.Raw == "{}" {
			leaves = append(leaves, leaf{path, json.RawMessage(v.Raw)})
			return
		}
		v.ForEach(func(key, value gjson.Result) bool {
			inner := key.Str
			if path != "" {
				inner = path + "." + inner
			}
			walk(inner, value)
			return true
		})
	}
	if len(body) > 0 {
		walk("", gjson.ParseBytes(body))
	}
	return leaves
}
