package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verobridge/verobridge/internal/delivery"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		unreachable  = delivery.ReasonUnreachable
		serverError  = delivery.ReasonServerError
		notPermitted = delivery.ReasonNotPermitted
		rowRefused   = delivery.ReasonRowRefused
	)
	for code, want := range map[string]judgement{
		"08000": {verdictUnavailable, unreachable},  // connection_exception
		"08006": {verdictUnavailable, unreachable},  // connection_failure
		"08P01": {verdictUnavailable, unreachable},  // protocol_violation
		"21000": {verdictUnavailable, serverError},  // cardinality_violation: ours, so wait
		"22001": {verdictRefused, rowRefused},       // string_data_right_truncation
		"22003": {verdictRefused, rowRefused},       // numeric_value_out_of_range
		"22008": {verdictRefused, rowRefused},       // datetime_field_overflow
		"22021": {verdictRefused, rowRefused},       // character_not_in_repertoire
		"22P02": {verdictRefused, rowRefused},       // invalid_text_representation
		"22P05": {verdictRefused, rowRefused},       // untranslatable_character
		"23502": {verdictRefused, rowRefused},       // not_null_violation
		"23505": {verdictRefused, rowRefused},       // unique_violation, of another key
		"23514": {verdictRefused, rowRefused},       // check_violation
		"25006": {verdictUnavailable, serverError},  // read_only_sql_transaction
		"28000": {verdictUnavailable, notPermitted}, // invalid_authorization_specification
		"28P01": {verdictUnavailable, notPermitted}, // invalid_password
		"3D000": {verdictUnavailable, serverError},  // invalid_catalog_name
		"3F000": {verdictAgain, serverError},        // invalid_schema_name
		"40001": {verdictAgain, serverError},        // serialization_failure
		"40P01": {verdictAgain, serverError},        // deadlock_detected
		"42501": {verdictUnavailable, notPermitted}, // insufficient_privilege
		"42701": {verdictAgain, serverError},        // duplicate_column
		"42703": {verdictAgain, serverError},        // undefined_column
		"42804": {verdictAgain, serverError},        // datatype_mismatch
		"42809": {verdictRefused, rowRefused},       // wrong_object_type
		"42P01": {verdictAgain, serverError},        // undefined_table
		"42P06": {verdictAgain, serverError},        // duplicate_schema
		"42P07": {verdictAgain, serverError},        // duplicate_table
		"42P10": {verdictAgain, serverError},        // invalid_column_reference: no such key
		"53100": {verdictUnavailable, serverError},  // disk_full
		"53200": {verdictUnavailable, serverError},  // out_of_memory
		"53300": {verdictUnavailable, serverError},  // too_many_connections
		"54000": {verdictRefused, rowRefused},       // program_limit_exceeded: row too big
		"54011": {verdictAgain, serverError},        // too_many_columns
		"55P03": {verdictLocked, delivery.ReasonLocked},
		"57014": {verdictSlow, serverError},        // query_canceled
		"57P01": {verdictUnavailable, unreachable}, // admin_shutdown
		"57P02": {verdictUnavailable, unreachable}, // crash_shutdown
		"57P03": {verdictUnavailable, unreachable}, // cannot_connect_now
		"58030": {verdictUnavailable, serverError}, // io_error
		"P0001": {verdictRefused, rowRefused},      // raise_exception
		"P0004": {verdictRefused, rowRefused},      // assert_failure
		"XX000": {verdictUnavailable, serverError}, // internal_error
		"XX001": {verdictUnavailable, serverError}, // data_corrupted
		"":      {verdictUnavailable, serverError},
	} {
		err := &tableError{table{"app", "tracks"}, fmt.Errorf("copy: %w", &pgconn.PgError{Code: code})}
		if got := judge(err); got != want {
			t.Errorf("SQLSTATE %q: %v, want %v", code, got, want)
		}
	}
	for _, c := range []struct {
		err  error
		want judgement
	}{
		{io.ErrUnexpectedEOF, judgement{verdictUnavailable, unreachable}},
		{fmt.Errorf("copy: %w", context.DeadlineExceeded), judgement{verdictSlow, unreachable}},
		{fmt.Errorf("load: %w", context.Canceled), judgement{verdictUnavailable, delivery.ReasonStopping}},
		{errors.New("lock not available"), judgement{verdictUnavailable, unreachable}}, // words do not count
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
