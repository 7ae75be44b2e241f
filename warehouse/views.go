package warehouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// analyticsSchema holds the views for analysts. They are over the tables of all
// sources, which only the settings know, so no migration can make them: Prepare
// does, from the templates in views.
const analyticsSchema = "email_analytics"

//go:embed views/*.sql
var viewFiles embed.FS

// viewOrder is the order in which the views are made: each needs those before
// it at most.
var viewOrder = []string{"emails", "funnel", "attribution", "recipients", "deliverability", "unsubscribed"}

// viewFunctions are the functions that the views call.
var viewFunctions = []string{"machine_reason"}

// emailStep is a step in the life of an email and the table that has it.
type emailStep struct{ Name, Table string }

var emailSteps = []emailStep{
	{"sent", "email_sent"},
	{"delivered", "email_delivered"},
	{"opened", "email_opened"},
	{"clicked", "email_link_clicked"},
	{"bounced", "email_bounced"},
	{"unsubscribed", "email_unsubscribed"},
	{"spam", "email_marked_as_spam"},
}

// viewsSQL returns the statements that make the views over the sources' tables,
// nothing without a source of email events.
func viewsSQL(sources []Source) ([]string, error) {
	data := struct {
		Vero, Apps []string // schemas
		Steps      []emailStep
	}{Steps: emailSteps}
	for _, s := range sources {
		if s.Vero {
			data.Vero = append(data.Vero, schemaName(s.Name))
		} else {
			data.Apps = append(data.Apps, schemaName(s.Name))
		}
	}
	if len(data.Vero) == 0 {
		return nil, nil
	}
	parsed, err := template.New("").Funcs(template.FuncMap{
		"identifier": quoteName,
		"literal":    func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
	}).ParseFS(viewFiles, "views/*.sql")
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, name := range slices.Concat(viewFunctions, viewOrder) {
		var sql strings.Builder
		if err := parsed.ExecuteTemplate(&sql, name+".sql", data); err != nil {
			return nil, err
		}
		statements = append(statements, sql.String())
	}
	return statements, nil
}

// createViews makes the views, unless those that are there were made from the
// same templates and sources: to replace a view waits for all who read it.
func (l *Loader) createViews(ctx context.Context) error {
	statements, err := viewsSQL(l.sources)
	if err != nil || statements == nil {
		return err
	}
	sum := sha256.Sum256([]byte(strings.Join(statements, "\n")))
	made := "Views of verobridge on emails, made from " + hex.EncodeToString(sum[:8])
	exists, err := l.catalog.read(ctx, l.pool, analyticsSchema)
	if err != nil {
		return err
	}
	prepareSchema := l.createSchema
	if exists { // readers may be new
		prepareSchema = l.grant
	}
	if err := prepareSchema(ctx, analyticsSchema); err != nil {
		return err
	}
	var upToDate bool
	const upToDateQuery = `
		select coalesce(obj_description(n.oid, 'pg_namespace'), '') = $2
		   and (select count(*) from pg_class c where c.relnamespace = n.oid and c.relkind = 'v' and c.relname = any($3)) = cardinality($3)
		   and (select count(*) from pg_proc p where p.pronamespace = n.oid and p.proname = any($4)) = cardinality($4)
		from pg_namespace n where n.nspname = $1`
	if err := l.pool.QueryRow(ctx, upToDateQuery, analyticsSchema, made, viewOrder, viewFunctions).Scan(&upToDate); err != nil {
		return err
	}
	if upToDate {
		return nil
	}
	return l.ddl(ctx, append(statements, fmt.Sprintf("comment on schema %s is '%s'", analyticsSchema, made))...)
}
