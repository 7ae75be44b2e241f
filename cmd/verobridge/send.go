package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func sendCommand(env environment) *cobra.Command {
	var public publicFlags
	var call callFlags
	var follow bool
	cmd := &cobra.Command{
		Use:   "send [track|identify|page|screen|group|alias]",
		Short: "Send a call to the bridge, as an app would",
		Long: `Send a call to the bridge, as an app would: through Segment's Go SDK, with the
write key and the address that the settings have. What it means to Vero, and what is
mapped to it, is what it would be if the app had sent it: emails are sent. To see
what would be sent, and send nothing, use map.

With --follow it waits until the event has an end at every destination of its source,
at most 15 seconds, and tells its story, as why does. The story is in the database
that the settings name, so --to and --write-key are not enough for that.

Without a type calls are read from standard input, one JSON object a line, and sent
as they are, in batches.`,
		Example: `  verobridge send identify --user u1 --trait email=ann@example.com --trait plan=free
  verobridge send track --user u1 --event "Order Completed" --property total=10.5 --follow
  verobridge send track --user u1 --event "Cart Viewed" --property 'products=[{"sku":"MUG"}]'
  verobridge send --source web < calls.ndjson
  verobridge send track --user u1 --event Test --to http://127.0.0.1:8080 --write-key dev-app-key`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"track", "identify", "page", "screen", "group", "alias"},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := public.open(env, follow)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if follow || call.any(cmd) {
					return errors.New("say what to send: track, identify, page, screen, group or alias")
				}
				if in, ok := cmd.InOrStdin().(*os.File); ok && isTerminal(in) {
					return cmd.Help() // nobody has typed a call yet
				}
				return c.sendLines(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
			}
			message, id, err := call.message(args[0])
			if err != nil {
				return err
			}
			if err := c.sendCall(message); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "accepted as %s\n", id)
			if !follow {
				return nil
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return c.follow(cmd.Context(), cmd.OutOrStdout(), id)
		},
	}
	public.add(cmd)
	call.add(cmd)
	cmd.Flags().BoolVar(&follow, "follow", false, "wait for what becomes of it, and tell; needs the settings, for the database")
	return cmd
}

// publicFlags say which bridge to send to, and as which source.
type publicFlags struct {
	config, source, to, writeKey string
}

func (f *publicFlags) add(cmd *cobra.Command) {
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.source, "source", "", "send with the write key of this source, by `name`; the first of type app otherwise")
	cmd.Flags().StringVar(&f.to, "to", "", "`address` of the bridge, such as https://events.example.com, instead of the one in the settings")
	cmd.Flags().StringVar(&f.writeKey, "write-key", "", "`key` to send with, instead of one in the settings")
}

// publicClient sends calls to the public API of a bridge.
type publicClient struct {
	url, writeKey string
	// warehouse is where it is written what becomes of calls, at as many
	// destinations as awaited. Both are empty where the settings are not known.
	warehouse string
	awaited   int
}

// open finds the door that the flags name, and for what they do not name the one of
// the settings. To follow a call takes the settings in any case.
func (f *publicFlags) open(env environment, follow bool) (publicClient, error) {
	c := publicClient{url: strings.TrimRight(f.to, "/"), writeKey: f.writeKey}
	if u, err := url.Parse(c.url); c.url != "" && (err != nil || u.Host == "") {
		return publicClient{}, errors.New("--to must look like https://events.example.com")
	}
	if c.url != "" && c.writeKey != "" && !follow {
		return c, nil
	}
	s, err := loadSettings(f.config, env)
	switch {
	case err != nil && follow:
		return publicClient{}, fmt.Errorf("%w\n--follow reads the bridge's database; name the bridge's settings with --config, or leave --follow out", err)
	case err != nil:
		return publicClient{}, fmt.Errorf("%w\nOr name the bridge and a key with --to and --write-key", err)
	}
	source, err := s.sender(f.source, f.writeKey)
	if err != nil {
		return publicClient{}, err
	}
	c.url = cmp.Or(c.url, s.doorURL())
	c.writeKey = cmp.Or(c.writeKey, source.WriteKeys[0])
	c.warehouse, c.awaited = s.Warehouse.URL, len(source.Destinations)+1 // and the warehouse
	return c, nil
}

// doorURL is where this machine reaches the public API. With a certificate that is
// by the name it is for.
func (s settings) doorURL() string {
	if s.TLS.Cert == "" {
		return "http://" + nearAddress(s.Listen)
	}
	return strings.TrimRight(cmp.Or(s.PublicURL, "https://"+nearAddress(s.Listen)), "/")
}

// sender returns the source that a write key opens, or the one of a name, or else the
// first one that apps send with.
func (s settings) sender(name, writeKey string) (sourceSettings, error) {
	var names []string
	for _, source := range s.Sources {
		wanted := name == "" && cmp.Or(source.Type, typeApp) == typeApp
		switch {
		case writeKey != "":
			wanted = slices.Contains(source.WriteKeys, writeKey)
		case name != "":
			wanted = source.Name == name
		}
		if wanted && !source.Disabled {
			return source, nil
		}
		names = append(names, source.Name)
	}
	slices.Sort(names)
	return sourceSettings{}, fmt.Errorf("the settings have no source to send as; name one that is not disabled with --source: %s", strings.Join(names, ", "))
}

// refusal says what an answer that is no success means, with the cure that the
// bridge names.
func refusal(to string, status int, body []byte) error {
	switch said := gjson.GetBytes(body, "message").String(); {
	case said != "":
		return fmt.Errorf("%s answers %d: %s", to, status, said)
	default:
		return fmt.Errorf("%s answers %d %s; is this the public address of a bridge?", to, status, http.StatusText(status))
	}
}

// silence says that nobody answers.
func silence(to string, err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("no bridge answers at %s; is it running? Its address is listen in the settings (%w)", to, err)
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

func readAnswer(answer *http.Response) ([]byte, error) {
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}
