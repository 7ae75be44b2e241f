package torture

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/canary"
)

// leaks returns a sentence for each place where a secret of the bridges is that
// should not be there: their logs and tables.
func (w *world) leaks(ctx context.Context) ([]string, error) {
	secrets, err := canary.Of(appKey, veroKey, veroToken)
	if err != nil {
		return nil, fmt.Errorf("look for leaks: %w", err)
	}
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return nil, fmt.Errorf("look for leaks: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	found, err := secrets.InTables(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("look for leaks: %w", err)
	}
	for _, b := range w.bridges {
		log, err := os.ReadFile(b.Log.Name())
		if err != nil {
			return nil, fmt.Errorf("look for leaks: %w", err)
		}
		if problem := secrets.In(string(log)); problem != "" {
			found = append(found, "the log "+problem)
		}
	}
	return found, nil
}
