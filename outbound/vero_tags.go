package outbound

import (
	"errors"
	"net/http"

	"github.com/tidwall/gjson"
)

var errTags = errors.New(`integrations.Vero.tags must be {"add": [...], "remove": [...]} or {"action": "add" or "remove", "values": [...]}`)

// tagsRequest returns the call that edits the person's tags, if the event asks
// for one in its integrations object. Two shapes are in use:
//
//	{"id": "7", "action": "add", "values": ["a"]}   Segment's, id optional
//	{"add": ["a"], "remove": ["b"]}                 RudderStack's
func tagsRequest(settings gjson.Result, p person) (r Request, wanted bool, err error) {
	tags := settings.Get("tags")
	if !tags.Exists() || tags.Type == gjson.Null {
		return Request{}, false, nil
	}
	add, remove, err := tagEdits(tags)
	if err != nil || add == "" && remove == "" {
		return Request{}, false, err
	}
	id := p.id
	if other := tags.Get("id").String(); other != "" {
		id = other
	}
	var body object
	body.text("id", id)
	if add != "" {
		body.raw("add", add)
	}
	if remove != "" {
		body.raw("remove", remove)
	}
	return newRequest(http.MethodPut, pathTags, &body), true, nil
}

// tagEdits returns the tags to add and to remove as JSON arrays, "" for none.
func tagEdits(tags gjson.Result) (add, remove string, err error) {
	if !tags.IsObject() {
		return "", "", errTags
	}
	if !tags.Get("action").Exists() && !tags.Get("values").Exists() {
		add, errAdd := tagList(tags.Get("add"))
		remove, errRemove := tagList(tags.Get("remove"))
		return add, remove, errors.Join(errAdd, errRemove)
	}
	values, err := tagList(tags.Get("values"))
	switch action := tags.Get("action").String(); {
	case err != nil:
		return "", "", err
	case action == "add":
		return values, "", nil
	case action == "remove":
		return "", values, nil
	default:
		return "", "", errTags
	}
}

// tagList returns an array of tags as it came, "" where it is missing or empty.
func tagList(v gjson.Result) (string, error) {
	switch {
	case !v.Exists(), v.Type == gjson.Null:
		return "", nil
	case !v.IsArray():
		return "", errTags
	}
	tags := v.Array()
	for _, tag := range tags {
		if tag.Type != gjson.String {
			return "", errTags
		}
	}
	if len(tags) == 0 {
		return "", nil
	}
	return v.Raw, nil
}
