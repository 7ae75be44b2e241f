package ingest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// emptyGIF is one transparent pixel.
const emptyGIF = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// pixel accepts a call that was put into the address of an image, as e-mails
// do. It answers with the image whatever happens (segment-docs, tracking pixel
// API): a reader should not see a broken one.
func (h *handler) pixel(w http.ResponseWriter, r *http.Request) error {
	if err := h.seen(r); err != nil {
		h.log.Log(r.Context(), levelOf(err), "pixel not kept", "error", err)
		var f *failure
		var seen *seenRequest
		if errors.As(err, &f) {
			_ = errors.As(err, &seen) // nil where nothing was read
			h.remember(r, f, seen)
		}
	}
	w.Header().Set("Content-Type", "image/gif")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(emptyGIF)) // the client is gone: nobody to tell
	return nil
}

func (h *handler) seen(r *http.Request) error {
	call, err := pixelCall(r.URL.Query())
	if err != nil {
		return err
	}
	parsed := gjson.ParseBytes(call)
	keys := []string{writeKey(parsed), queryKey(r)}
	from, err := h.keys.authenticate(r, keys...)
	if err != nil {
		return refused(err, keys, parsed)
	}
	stamp := h.stamp(r, from.source, client)
	stamp.Type = event.Type(mux.Vars(r)["type"])
	// A script would have sent it in the call; an image cannot.
	if stamp.Context, err = json.Marshal(map[string]string{"userAgent": r.UserAgent()}); err != nil {
		return err
	}
	held := h.memory.share(nil)
	defer held.release()
	if err := h.store(r.Context(), from, []item{{raw: string(call), stamp: stamp}}, held); err != nil {
		return refused(err, keys, parsed)
	}
	return nil
}

// pixelCall reads the call in a pixel's query: as JSON in data, in base64 or
// bare, or spread over parameters with dotted names.
func pixelCall(query url.Values) ([]byte, error) {
	data := query.Get("data")
	if data == "" {
		return json.Marshal(nested(query))
	}
	if strings.HasPrefix(data, "{") {
		return lenient([]byte(data))
	}
	// Either alphabet, with or without padding; a query turns + into a space.
	standard := strings.NewReplacer("-", "+", "_", "/", " ", "+", "=", "").Replace(data)
	call, err := base64.RawStdEncoding.DecodeString(standard)
	if err != nil {
		return nil, errMalformed
	}
	return lenient(call)
}

// nested makes {"properties":{"plan":"pro"}} of properties.plan=pro. All values
// are text.
func nested(query url.Values) map[string]any {
	const maxLevels = 8
	root := make(map[string]any)
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path := strings.SplitN(name, ".", maxLevels)
		at := root
		for _, key := range path[:len(path)-1] {
			below, ok := at[key].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[key] = below
			}
			at = below
		}
		at[path[len(path)-1]] = query.Get(name)
	}
	return root
}
