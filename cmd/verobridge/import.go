package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/archive"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/warehouse"
)

// importCommandOptions are the flags of import.
type importCommandOptions struct {
	config, to, from, schema string
	again                    bool
	files                    []string
}

func importCommand(env environment) *cobra.Command {
	var o importCommandOptions
	cmd := &cobra.Command{
		Use:   "import --to source [file or folder …]",
		Short: "Bring what Segment or RudderStack have kept into the warehouse",
		Long: `Bring older data into the schema of a source, beside what arrives now.

From files: calls as Segment's Amazon S3 destination archives them, or any file
with one call as JSON a line, or a batch of them, {"batch":[…]}, as SDKs send it;
compressed with gzip or not. Give folders of one source at a time. A line that is no call is kept in verobridge.rejected_events
with its number and reason, as a call that is refused at the door is.

From a schema: with --from and --schema, the tables that Segment, RudderStack or
another verobridge wrote. Columns keep their types where there is none yet; a value
that does not fit the column that is here is kept in the schema's discards.
RudderStack's repeated rows, and its names for reserved words, become ours.

Nothing of it is sent to Vero or any other destination: no email is triggered.
Rows keep their ids and times. So it can be stopped with Ctrl-C and run again,
while serve runs or not: it goes on where it was, and nothing doubles. uuid_ts is
the time of the import, so that incremental models see the rows.

It ends with the rows it read and those that are there, table by table, and how
many of these are the same row again. The exit code is 0 only if all that was read
is there.`,
		Example: `  verobridge import --to app segment-logs/aBcDeFgHiJ
  verobridge import --to app calls.ndjson more-calls.ndjson.gz
  verobridge import --to app --from "$OLD_DATABASE_URL" --schema production`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			return runImport(cmd, o, env)
		},
	}
	configFlag(cmd, &o.config)
	cmd.Flags().StringVar(&o.to, "to", "", "`source` of the settings that the data is of; its schema takes it")
	cmd.Flags().StringVar(&o.from, "from", "", "`URL` of the Postgres to import a schema from")
	cmd.Flags().StringVar(&o.schema, "schema", "", "`schema` there")
	cmd.Flags().BoolVar(&o.again, "again", false, "read what is imported already, too")
	return cmd
}

// validate finds what is missing or too much.
func (o importCommandOptions) validate(s settings) error {
	known := make([]string, len(s.Sources))
	for i, source := range s.Sources {
		known[i] = source.Name
	}
	switch {
	case !slices.Contains(known, o.to):
		return fmt.Errorf("--to must be a source of the settings (%s), not %q", strings.Join(known, ", "), o.to)
	case o.from == "" && o.schema == "" && len(o.files) == 0:
		return errors.New("name the files to import, or a schema with --from and --schema")
	case len(o.files) > 0 && (o.from != "" || o.schema != ""):
		return errors.New("import either files or a schema, not both at once")
	case len(o.files) == 0 && (o.from == "" || o.schema == ""):
		return errors.New("a schema needs both --from, the URL of its database, and --schema, its name")
	default:
		return nil
	}
}

func runImport(cmd *cobra.Command, o importCommandOptions, env environment) error {
	s, err := loadSettings(o.config, env)
	if err != nil {
		return err
	}
	if err := o.validate(s); err != nil {
		return err
	}
	log, err := (&logFlags{format: "text", level: slog.LevelWarn}).logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	options := warehouseOptions(s)
	options.Logger = log
	if o.from != "" {
		// A table keeps the columns that it has there.
		options.MaxColumns = warehouse.MostColumns
	}
	ctx := cmd.Context()
	loader, err := warehouse.Open(ctx, options)
	if err != nil {
		return err
	}
	defer loader.Close()
	p := newImportProgress(cmd.ErrOrStderr())
	im := loader.Import(warehouse.ImportOptions{Source: o.to, Again: o.again, Progress: p.show, Erased: erased(s.Warehouse.URL)})

	var counts warehouse.ImportCounts
	if o.from != "" {
		counts, err = im.Schema(ctx, warehouse.SchemaSource{URL: o.from, Schema: o.schema, LeftOut: func(name, why string) {
			fmt.Fprintf(cmd.OutOrStdout(), "left out %s: %s\n", name, why)
		}})
	} else {
		counts, err = importFiles(ctx, im, o.files, p)
	}
	printImport(cmd, o.to, counts)
	return importResult(ctx, counts, err)
}

// erased reads who was erased, by a bridge that runs meanwhile too.
func erased(url string) func(context.Context) (func(event.Event) bool, error) {
	return func(ctx context.Context) (func(event.Event) bool, error) {
		suppressions, err := people.ReadSuppressions(ctx, url)
		if err != nil {
			return nil, fmt.Errorf("find out who was erased: %w", err)
		}
		return suppressions.Suppressed, nil
	}
}

// importFiles imports one file after the other. One that breaks off does not
// keep the others from being imported.
func importFiles(ctx context.Context, im *warehouse.Import, paths []string, p *importProgress) (warehouse.ImportCounts, error) {
	var counts warehouse.ImportCounts
	files, err := archive.Files(paths...)
	if err != nil {
		return counts, err
	}
	p.files(files)
	var problems []error
	for _, file := range files {
		n, err := im.Calls(ctx, warehouse.CallFile{Origin: file.Path, Open: func() (warehouse.CallLines, error) {
			reader, err := archive.Open(file.Path)
			if err != nil {
				return nil, err
			}
			p.reading(reader)
			return callLines{reader}, nil
		}})
		counts.Add(n)
		if ctx.Err() != nil {
			return counts, ctx.Err()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%w; what was read before is imported; run it again when that is mended", err))
		}
		p.done(file)
	}
	return counts, errors.Join(problems...)
}

// callLines are the lines of a file as the warehouse wants them.
type callLines struct{ *archive.Reader }

// Next implements warehouse.CallLines.
func (l callLines) Next() (number int64, line []byte, whole bool, err error) {
	read, err := l.Reader.Next()
	return read.Number, read.Text, !read.TooLong, err
}

// printImport prints what came of an import, table by table.
func printImport(cmd *cobra.Command, source string, counts warehouse.ImportCounts) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%-50s %12s %12s %12s\n", "table", "read", "present", "repeated")
	var repeated int64
	for _, name := range slices.Sorted(maps.Keys(counts.Tables)) {
		n := counts.Tables[name]
		fmt.Fprintf(out, "%-50s %12d %12d %12d\n", name, n.Read, n.Present, n.Repeated)
		repeated += n.Repeated
	}
	if repeated > 0 {
		fmt.Fprintln(out, "repeated: their ids were read before or were in the table already, or, in users and accounts, further calls about the same; they made no further row")
	}
	if counts.Undated > 0 {
		fmt.Fprintf(out, "%d calls have a receivedAt that is no time: they count as received at their sentAt, timestamp, or now, the first that they have\n", counts.Undated)
	}
	if len(counts.Skipped) > 0 {
		fmt.Fprintln(out, "not wanted:", byReason(counts.Skipped))
	}
	if len(counts.Rejected) > 0 {
		fmt.Fprintf(out, "refused: %s; see\n  select reason, detail, body from verobridge.rejected_events where source = '%s'\n",
			byReason(counts.Rejected), source)
	}
}

// byReason lists numbers by their reasons.
func byReason(numbers map[string]int64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%d %s", numbers[reason], reason))
	}
	return strings.Join(parts, ", ")
}

// importResult says whether all is there, and what to do where it is not.
func importResult(ctx context.Context, counts warehouse.ImportCounts, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("stopped; run the same command again to go on from here")
	case err != nil:
		return err
	case counts.Missing() > 0:
		return fmt.Errorf("%d rows that were read are not in the warehouse; see which tables lack them, find out who deletes there, and run it with --again", counts.Missing())
	case counts.Unread > 0:
		return fmt.Errorf("%d rows came into the schema while the import was stopped; run the same command again to read them", counts.Unread)
	default:
		return nil
	}
}
