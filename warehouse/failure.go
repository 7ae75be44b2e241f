package warehouse

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verobridge/verobridge/internal/delivery"
)

// verdict says whose failure an error of Postgres is.
type verdict int

const (
	// verdictUnavailable: the database as a whole takes nothing now.
	verdictUnavailable verdict = iota
	// verdictAgain: the tables are not what the catalog said, or others were in
	// the way; worth one more try at once.
	verdictAgain
	// verdictLocked: somebody holds a lock on a table.
	verdictLocked
	// verdictSlow: the rows took longer than they may; fewer of them may not.
	verdictSlow
	// verdictRefused: a row is refused, and would be again.
	verdictRefused
)

// queryCanceled is the SQLSTATE of a statement that took longer than it may.
const queryCanceled = "57014"

// judgement is the verdict on one SQLSTATE or class of them, with the reason
// that people see.
type judgement struct {
	verdict verdict
	reason  delivery.Reason
}

// judgements by SQLSTATE, and by class where the code itself is not listed
// (postgres docs, appendix A, "PostgreSQL Error Codes"). What is not here is
// unavailable: to wait loses nothing, to give a row up does.
var judgements = map[string]judgement{
	"08": {verdictUnavailable, delivery.ReasonUnreachable},  // connection exception
	"22": {verdictRefused, delivery.ReasonRowRefused},       // data exception
	"23": {verdictRefused, delivery.ReasonRowRefused},       // integrity constraint violation
	"25": {verdictUnavailable, delivery.ReasonServerError},  // read-only after a failover, for one
	"28": {verdictUnavailable, delivery.ReasonNotPermitted}, // invalid authorization
	"3D": {verdictUnavailable, delivery.ReasonServerError},  // the database does not exist
	"3F": {verdictAgain, delivery.ReasonServerError},        // a schema was dropped
	"40": {verdictAgain, delivery.ReasonServerError},        // deadlock, serialization failure
	"42": {verdictRefused, delivery.ReasonRowRefused},       // a view in the table's place, for one
	"53": {verdictUnavailable, delivery.ReasonServerError},  // disk full, out of memory or connections
	"54": {verdictRefused, delivery.ReasonRowRefused},       // the row is too big
	"57": {verdictUnavailable, delivery.ReasonUnreachable},  // shutting down or starting up
	"P0": {verdictRefused, delivery.ReasonRowRefused},       // raised by a trigger

	"42501":       {verdictUnavailable, delivery.ReasonNotPermitted}, // insufficient privilege
	"42701":       {verdictAgain, delivery.ReasonServerError},        // the column exists already
	"42703":       {verdictAgain, delivery.ReasonServerError},        // the column is gone
	"42804":       {verdictAgain, delivery.ReasonServerError},        // the column has another type
	"42P01":       {verdictAgain, delivery.ReasonServerError},        // the table is gone
	"42P06":       {verdictAgain, delivery.ReasonServerError},        // the schema exists already
	"42P07":       {verdictAgain, delivery.ReasonServerError},        // the table exists already
	"42P10":       {verdictAgain, delivery.ReasonServerError},        // the key is gone
	"54011":       {verdictAgain, delivery.ReasonServerError},        // too many columns
	"55P03":       {verdictLocked, delivery.ReasonLocked},            // lock not available
	queryCanceled: {verdictSlow, delivery.ReasonServerError},         // by a statement_timeout, for one
}

// judge says whose failure err is. It asks the SQLSTATE, never the words. An
// error that does not come from Postgres is one of the way there.
func judge(err error) judgement {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		if errors.Is(err, errStale) {
			return judgement{verdictAgain, delivery.ReasonServerError}
		}
		if errors.Is(err, context.Canceled) {
			return judgement{verdictUnavailable, delivery.ReasonStopping}
		}
		if errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) {
			return judgement{verdictSlow, delivery.ReasonUnreachable}
		}
		return judgement{verdictUnavailable, delivery.ReasonUnreachable}
	}
	if j, ok := judgements[refused.Code]; ok {
		return j
	}
	if len(refused.Code) == 5 {
		if j, ok := judgements[refused.Code[:2]]; ok {
			return j
		}
	}
	return judgement{verdictUnavailable, delivery.ReasonServerError}
}

// sqlState returns the code of Postgres' error, "" for an error from elsewhere.
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// isOfValues says whether Postgres refused what a row says, where another row
// may well be taken: not a table of another shape (class 42).
func isOfValues(err error) bool {
	return judge(err).verdict == verdictRefused && !strings.HasPrefix(sqlState(err), "42")
}

// isDown says whether an error is one of the database as a whole. A permission
// may be missing on one table alone.
func isDown(err error) bool {
	j := judge(err)
	return j.verdict == verdictUnavailable && j.reason != delivery.ReasonNotPermitted || j.reason == delivery.ReasonUnreachable
}

// isOwnTableGone says whether one of verobridge's own tables is not there: only
// the migrations can make it again.
func isOwnTableGone(err error) bool {
	if errors.Is(err, errOwnTableGone) {
		return true
	}
	var failed *tableError
	return errors.As(err, &failed) && failed.table.schema == ownSchema && isGone(sqlState(err))
}

// errOwnTableGone is the error where the catalog has no such table.
var errOwnTableGone = errors.New("a table of verobridge is gone; it is made again at the next attempt")

// isGone says whether an SQLSTATE means that a table or schema is not there.
func isGone(code string) bool { return code == "42P01" || code == "3F000" }
