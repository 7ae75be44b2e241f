package mockvero

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// maxBodyBytes bounds a request. Vero documents no limit.
const maxBodyBytes = 4 << 20

// params are the parameters of a call: a JSON body, or a form whose values may
// be JSON, and the query for the token.
type params struct {
	raw   []byte // the body as it came
	body  gjson.Result
	query url.Values
}

// readParams reads the body. An error says why the parameters cannot be used;
// what was read is returned all the same.
func readParams(w http.ResponseWriter, r *http.Request) (params, error) {
	p := params{query: r.URL.Query()}
	var err error
	if p.raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes)); err != nil {
		return p, errors.New("the body cannot be read")
	}
	if r.Method == http.MethodGet {
		return p, nil
	}
	object := p.raw
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(p.raw))
		if err != nil {
			return p, errors.New("the form cannot be read")
		}
		object = formAsJSON(form)
	}
	if !gjson.ValidBytes(object) || !gjson.ParseBytes(object).IsObject() {
		return p, errors.New("the body is not a JSON object")
	}
	p.body = gjson.ParseBytes(object)
	return p, nil
}

// formAsJSON reads a form as Vero does: identity={"id":1} is an object.
func formAsJSON(form url.Values) []byte {
	fields := make(map[string]json.RawMessage, len(form))
	for name := range form {
		value := form.Get(name)
		if trimmed := strings.TrimSpace(value); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
			if json.Valid([]byte(trimmed)) {
				fields[name] = json.RawMessage(trimmed)
				continue
			}
		}
		fields[name], _ = json.Marshal(value) // a string always marshals
	}
	object, _ := json.Marshal(fields) // valid parts make a valid object
	return object
}

// asJSON returns the body for people.
func (p params) asJSON() json.RawMessage {
	if len(p.raw) == 0 {
		return nil
	}
	if json.Valid(p.raw) {
		return json.RawMessage(p.raw)
	}
	quoted, _ := json.Marshal(string(p.raw)) // a string always marshals
	return quoted
}

// token returns the credential, from wherever it was put, or "".
func (p params) token() string {
	for _, name := range []string{"auth_token", "tracking_api_key"} {
		if token := p.body.Get(name).String(); token != "" {
			return token
		}
		if token := p.query.Get(name); token != "" {
			return token
		}
	}
	return ""
}

// text returns a parameter that may be a string or a number, as text.
func (p params) text(path string) string { return textOf(p.body.Get(path)) }

func textOf(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return strings.TrimSpace(v.Str)
	case gjson.Number:
		return v.Raw
	default:
		return ""
	}
}
