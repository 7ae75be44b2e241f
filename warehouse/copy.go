package warehouse

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copyTo copies the rows into their table. sent is called when nothing more is to
// be sent; it may be called twice.
func (t *tuples) copyTo(ctx context.Context, tx pgx.Tx, name table, sent func()) error {
	defer sent()
	if len(t.rows) == 0 {
		return nil
	}
	if err := t.compare(ctx, tx, name); err != nil {
		return err
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &copyReader{tuples: t, rest: t.fields, sent: sent},
		fmt.Sprintf("copy %s (%s) from stdin (format binary)", name.quoted(), list(t.names())))
	return err
}

// compare makes sure that the columns have the types that the rows are written
// for: the bytes of a bigint would do for a double precision, too, and a column
// that was given fewer digits would round. Asking keeps
// a lock on the table until the transaction ends, as any statement does, so
// nobody alters it before they are written.
func (t *tuples) compare(ctx context.Context, tx pgx.Tx, name table) error {
	now, err := tx.Conn().PgConn().Prepare(ctx, "", fmt.Sprintf("select %s from %s", list(t.names()), name.quoted()), nil)
	if err != nil {
		return err
	}
	for i, field := range now.Fields {
		if f := t.columns[i].form; field.DataTypeOID != f.oid || field.TypeModifier != f.modifier() {
			return errStale
		}
	}
	return nil
}

const (
	// copyHeader begins a copy in the binary format: its signature, no flags, no
	// extension.
	copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// copyTrailer stands where the next row would have the number of its columns.
	copyTrailer = 0xFFFF
)

// copyReader reads as COPY's binary format of the rows.
type copyReader struct {
	*tuples
	rest []byte // fields that are still to be written
	row  int    // the next one
	buf  bytes.Buffer
	sent func()
}

// Read implements io.Reader.
func (r *copyReader) Read(p []byte) (int, error) {
	for ; r.buf.Len() < len(p) && r.row <= len(r.rows); r.row++ {
		r.write()
	}
	n, err := r.buf.Read(p)
	if err != nil {
		r.sent()
	}
	return n, err
}

// write writes the next row, and what comes before the first and after the last.
func (r *copyReader) write() {
	if r.row == 0 {
		r.buf.WriteString(copyHeader)
	}
	if r.row == len(r.rows) {
		r.buf.Write(binary.BigEndian.AppendUint16(r.buf.AvailableBuffer(), copyTrailer))
		return
	}
	row, extent := r.buf.AvailableBuffer(), r.rows[r.row]
	row = binary.BigEndian.AppendUint16(row, uint16(len(r.columns)))
	row = append(row, r.rest[:extent.size]...)
	for range len(r.columns) - extent.columns {
		row = binary.BigEndian.AppendUint32(row, null)
	}
	r.rest = r.rest[extent.size:]
	r.buf.Write(row)
}

// list writes column names for a statement.
func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quoteName(name)
	}
	return strings.Join(quoted, ", ")
}
