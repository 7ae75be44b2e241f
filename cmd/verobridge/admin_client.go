package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/console"
)

// adminFlags say which running bridge a subcommand talks to.
type adminFlags struct {
	config string
	url    string
}

func (f *adminFlags) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&f.config, "config", "c", "", "settings `file` of the running bridge, for its admin address and password")
	cmd.PersistentFlags().StringVar(&f.url, "admin", "", "admin `address` of the running bridge, such as http://:password@127.0.0.1:8081, instead of the settings")
}

// client returns a client of the bridge that the flags name, else of the one
// that the environment describes.
func (f *adminFlags) client(env environment) (*adminClient, error) {
	if f.url != "" {
		u, err := url.Parse(f.url)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("--admin must look like http://127.0.0.1:8081")
		}
		password, _ := u.User.Password()
		u.User = nil
		return &adminClient{url: strings.TrimSuffix(u.String(), "/"), password: password}, nil
	}
	s, err := loadSettings(f.config, env)
	if err != nil {
		return nil, fmt.Errorf("%w\nOr name the admin address of the running bridge with --admin", err)
	}
	return s.adminClient()
}

// adminClient returns a client of the bridge that runs with the settings.
func (s settings) adminClient() (*adminClient, error) {
	if _, _, err := net.SplitHostPort(s.Admin.Listen); err != nil {
		return nil, fmt.Errorf("the setting admin.listen: %w", err)
	}
	return &adminClient{url: "http://" + nearAddress(s.Admin.Listen), password: s.Admin.Password}, nil
}

// nearAddress is where a listener on this machine is to be reached from it.
func nearAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// adminClient asks the admin address of the running bridge.
type adminClient struct{ url, password string }

// call asks for one JSON value.
func (c *adminClient) call(ctx context.Context, method, path string, query url.Values, into any) error {
	answer, err := c.do(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("read the bridge's answer: %w", err)
	}
	return nil
}

// lines asks for a list and hands over its values one by one, as they come.
func (c *adminClient) lines(ctx context.Context, method, path string, query url.Values, each func(json.RawMessage) error) error {
	answer, err := c.do(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return readLines(answer.Body, each)
}

// readLines hands over the values of a list one by one, as they come.
func readLines(list io.Reader, each func(json.RawMessage) error) error {
	for decoder := json.NewDecoder(list); ; {
		var line json.RawMessage
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the bridge's answer: %w", err)
		}
		var failed apiError
		if json.Unmarshal(line, &failed) == nil && failed.Error != "" {
			return errors.New(failed.Error)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// letters asks for dead letters.
func (c *adminClient) letters(ctx context.Context, query url.Values, each func(letterLine) error) error {
	return c.lines(ctx, http.MethodGet, "/api/dead", query, func(line json.RawMessage) error {
		var l letterLine
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("read a dead letter: %w", err)
		}
		return each(l)
	})
}

// do returns an answer of 200, and every other one as an error that says what
// to do.
func (c *adminClient) do(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if c.password != "" {
		request.SetBasicAuth("verobridge", c.password)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no bridge answers at %s; is it running? Its address is admin.listen in the settings (%w)", c.url, errors.Unwrap(err))
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	var failed apiError
	switch err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&failed); {
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("the bridge at %s wants its admin.password; name its settings with --config", c.url)
	case answer.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("the bridge at %s says: %s", c.url, console.TooManyGuesses)
	case err == nil && failed.Error != "":
		return nil, errors.New(failed.Error)
	default:
		return nil, fmt.Errorf("%s answers %s to %s; is this the admin address of a verobridge of this version?", c.url, answer.Status, path)
	}
}
