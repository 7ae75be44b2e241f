package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	analytics "github.com/segmentio/analytics-go/v3"
	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/event"
)

// callFlags say what one call holds.
type callFlags struct {
	user, anonymous, previous, group string
	event, name, messageID, at       string
	properties, traits               []string
}

func (f *callFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.user, "user", "", "userId: who it is about, by your own `id`")
	cmd.Flags().StringVar(&f.anonymous, "anonymous", "", "anonymousId: who it is about, by the `id` of a visitor")
	cmd.Flags().StringVar(&f.event, "event", "", "`name` of the event, for track")
	cmd.Flags().StringVar(&f.name, "name", "", "`name` of the page or screen")
	cmd.Flags().StringVar(&f.group, "group", "", "groupId, for group: the `id` of the group")
	cmd.Flags().StringVar(&f.previous, "previous", "", "previousId, for alias: the `id` that the user had before")
	cmd.Flags().StringArrayVar(&f.properties, "property", nil, "a property, as `key=value`; the value is JSON if it can be read as JSON, else a text; may be given several times")
	cmd.Flags().StringArrayVar(&f.traits, "trait", nil, "a trait of the person or group, as `key=value`; for other calls it goes into context.traits")
	cmd.Flags().StringVar(&f.messageID, "message-id", "", "messageId: the same `id` twice is one call; a new one otherwise")
	cmd.Flags().StringVar(&f.at, "timestamp", "", "when it happened, such as 2026-11-20T08:00:00Z; now otherwise")
}

// any says whether flags describe a call.
func (f *callFlags) any(cmd *cobra.Command) bool {
	for _, name := range []string{"user", "anonymous", "event", "name", "group", "previous", "property", "trait", "message-id", "timestamp"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// message returns the call of a type that the flags describe, and its messageId.
func (f *callFlags) message(kind string) (analytics.Message, string, error) {
	properties, err := members("--property", f.properties)
	if err != nil {
		return nil, "", err
	}
	traits, err := members("--trait", f.traits)
	if err != nil {
		return nil, "", err
	}
	at, known := event.ParseTime(f.at)
	if f.at != "" && !known {
		return nil, "", errors.New("--timestamp must be a time, such as 2026-11-20T08:00:00Z")
	}
	if f.at == "" {
		at = time.Now()
	}
	id := f.messageID
	if id == "" {
		id = uuid.NewString()
	}
	var about *analytics.Context
	if len(traits) > 0 {
		about = &analytics.Context{Traits: traits}
	}
	need := func(value, flag string) {
		if value == "" && err == nil {
			err = fmt.Errorf("%s needs %s", kind, flag)
		}
	}
	if kind != "alias" {
		need(f.user+f.anonymous, "--user or --anonymous: who it is about")
	}
	var message analytics.Message
	switch kind {
	case "track":
		need(f.event, "--event: the name of what happened")
		message = analytics.Track{MessageId: id, UserId: f.user, AnonymousId: f.anonymous, Event: f.event, Timestamp: at, Context: about, Properties: properties}
	case "identify":
		message = analytics.Identify{MessageId: id, UserId: f.user, AnonymousId: f.anonymous, Timestamp: at, Traits: traits}
	case "page":
		message = analytics.Page{MessageId: id, UserId: f.user, AnonymousId: f.anonymous, Name: f.name, Timestamp: at, Context: about, Properties: properties}
	case "screen":
		message = analytics.Screen{MessageId: id, UserId: f.user, AnonymousId: f.anonymous, Name: f.name, Timestamp: at, Context: about, Properties: properties}
	case "group":
		need(f.group, "--group: the group's id")
		message = analytics.Group{MessageId: id, UserId: f.user, AnonymousId: f.anonymous, GroupId: f.group, Timestamp: at, Traits: traits}
	case "alias":
		need(f.user, "--user: the id that the person has from now on")
		need(f.previous, "--previous: the id that the person had before")
		message = analytics.Alias{MessageId: id, UserId: f.user, PreviousId: f.previous, Timestamp: at, Context: about}
	}
	return message, id, err
}

// members reads key=value pairs. Numbers keep their digits.
func members(flag string, pairs []string) (map[string]any, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	object := make(map[string]any, len(pairs))
	for _, pair := range pairs {
		key, text, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("%s must look like key=value, not %q", flag, pair)
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		if decoder.Decode(&value) != nil || !json.Valid([]byte(text)) {
			value = text
		}
		object[key] = value
	}
	return object, nil
}

// sendCall sends one call through Segment's Go SDK, once: whoever runs the command
// wants to know at once why it failed.
func (c publicClient) sendCall(message analytics.Message) error {
	transport := &lastAnswer{}
	client, err := analytics.NewWithConfig(c.writeKey, analytics.Config{
		Endpoint: c.url, Transport: transport, Logger: silentSDK{}, BatchSize: 1,
	})
	if err != nil {
		return fmt.Errorf("make analytics-go client: %w", err)
	}
	if err := client.Enqueue(message); err != nil {
		return errors.Join(fmt.Errorf("the SDK refuses the call: %w", err), client.Close())
	}
	if err := client.Close(); err != nil { // it sends what is queued, and does not repeat it
		return fmt.Errorf("send: %w", err)
	}
	switch {
	case transport.err != nil:
		return silence(c.url, transport.err)
	case transport.status != http.StatusOK:
		return refusal(c.url, transport.status, transport.body)
	}
	return nil
}

// lastAnswer is a transport that remembers what came back last, which the SDK keeps
// to itself.
type lastAnswer struct {
	status int
	body   []byte
	err    error
}

// RoundTrip implements http.RoundTripper.
func (l *lastAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		l.err = err
		return nil, err
	}
	l.status = answer.StatusCode
	l.body, l.err = readAnswer(answer)
	answer.Body = io.NopCloser(bytes.NewReader(l.body))
	return answer, l.err
}

// silentSDK drops what the SDK says of failures: they are returned.
type silentSDK struct{}

func (silentSDK) Logf(string, ...any)   {}
func (silentSDK) Errorf(string, ...any) {}
