package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// MaxLine is how many bytes of a line are kept. No call is as long.
const MaxLine = 16 << 20

// byteOrderMark begins a text of Windows programs. It is no part of the first line.
const byteOrderMark = "\ufeff"

// Line is a line of a file that is not blank.
type Line struct {
	// Number counts all lines of the file, from 1.
	Number int64
	// Text is valid until the next line is read. It has no line break.
	Text []byte
	// TooLong says that Text is only the beginning of the line.
	TooLong bool
}

// Reader reads the lines of a file.
type Reader struct {
	file   *os.File
	read   *counter
	lines  *bufio.Reader
	line   []byte
	number int64
	digest hash.Hash
}

// counter counts the bytes that were read of a file.
type counter struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// Open opens a file, compressed with gzip or not.
func Open(path string) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	r := &Reader{file: file, read: &counter{from: file}, digest: sha256.New()}
	r.lines = bufio.NewReaderSize(r.read, 1<<16)
	if magic, _ := r.lines.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(r.lines)
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("open archive %s: %w", path, err)
		}
		r.lines = bufio.NewReaderSize(unzipped, 1<<16)
	}
	if mark, _ := r.lines.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = r.lines.Discard(len(byteOrderMark)) // it was peeked at, so it is there
	}
	return r, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Next returns the next line that is not blank, and io.EOF after the last one.
func (r *Reader) Next() (Line, error) {
	for {
		line, err := r.next()
		if err != nil {
			return Line{}, err
		}
		if len(line.Text) > 0 {
			return line, nil
		}
	}
}

func (r *Reader) next() (Line, error) {
	r.line = r.line[:0]
	length := 0
	for {
		part, err := r.lines.ReadSlice('\n')
		r.digest.Write(part)
		length += len(part)
		r.line = append(r.line, part[:min(len(part), MaxLine-len(r.line))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && length == 0:
			return Line{}, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return Line{}, fmt.Errorf("read line %d of %s: %w", r.number+1, r.file.Name(), err)
		}
		r.number++
		return Line{Number: r.number, Text: bytes.TrimSpace(r.line), TooLong: length > MaxLine}, nil
	}
}

// Number returns how many lines were read, blank ones included.
func (r *Reader) Number() int64 { return r.number }

// Digest tells what was read up to here from anything else.
func (r *Reader) Digest() string { return hex.EncodeToString(r.digest.Sum(nil)) }

// Offset returns how many bytes of the file were read, compressed where the file
// is: for progress, as it runs ahead of the lines.
func (r *Reader) Offset() int64 { return r.read.n }
