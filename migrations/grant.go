package migrations

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Grant lets a role use verobridge's own tables without owning them, for a
// bridge whose role may not migrate. The role must exist. It is needed again
// after a migration that makes a table.
func Grant(ctx context.Context, url, role string) error {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("grant to %s: %w", role, err)
	}
	defer func() { _ = db.Close(ctx) }()
	to := pgx.Identifier{role}.Sanitize()
	_, err = db.Exec(ctx, `
		grant usage on schema verobridge to `+to+`;
		grant select, insert, update, delete on all tables in schema verobridge to `+to)
	if err != nil {
		return fmt.Errorf("grant to %s: %w", role, err)
	}
	return nil
}
