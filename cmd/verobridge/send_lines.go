package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
)

const (
	// A batch of calls is as large as those of SDKs.
	batchCalls = 100
	batchBytes = 480_000
	// maxLine bounds a call, as the bridge does.
	maxLine = 16 << 20
	// A batch is sent so many times while the bridge asks to come again.
	batchAttempts = 6
)

// sendLines sends the calls that a text has, one a line, as they are.
func (c publicClient) sendLines(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var batch [][]byte
	size, sent := 0, 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := c.sendBatch(ctx, batch); err != nil {
			return fmt.Errorf("after %s: %w", plural(sent, "call"), err)
		}
		sent += len(batch)
		batch, size = nil, 0
		return nil
	}
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		call := gjson.ParseBytes(line)
		if !gjson.ValidBytes(line) || !call.IsObject() || call.Get("type").String() == "" {
			return errors.Join(flush(), fmt.Errorf("line %d is no call: it must be a JSON object on one line, with a type; the lines before it are sent", n))
		}
		if size+len(line) > batchBytes || len(batch) == batchCalls {
			if err := flush(); err != nil {
				return err
			}
		}
		named := withMessageID(line, call)
		batch, size = append(batch, named), size+len(named)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read calls: %w", err)
	}
	if err := flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "accepted %s\n", plural(sent, "call"))
	return nil
}

// withMessageID gives a call without one a messageId, so that a batch that is sent
// twice counts once. It copies the line.
func withMessageID(line []byte, call gjson.Result) []byte {
	if call.Get("messageId").String() != "" {
		return bytes.Clone(line)
	}
	return append([]byte(`{"messageId":"`+uuid.NewString()+`",`), bytes.TrimLeft(line, "{ \t")...)
}

// sendBatch sends calls in one request, again while the bridge asks for that.
func (c publicClient) sendBatch(ctx context.Context, calls [][]byte) error {
	body := append([]byte(`{"batch":[`), bytes.Join(calls, []byte(","))...)
	body = append(body, `],"sentAt":"`+time.Now().UTC().Format(time.RFC3339Nano)+`"}`...)
	wait := 250 * time.Millisecond
	for attempt := 1; ; attempt++ {
		status, answer, err := c.post(ctx, body)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
			return refusal(c.url, status, answer)
		case attempt == batchAttempts && err != nil:
			return silence(c.url, err)
		case attempt == batchAttempts:
			return refusal(c.url, status, answer)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (c publicClient) post(ctx context.Context, body []byte) (status int, said []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.SetBasicAuth(c.writeKey, "")
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	said, err = readAnswer(answer)
	return answer.StatusCode, said, err
}
