package main

import (
	"io"
	"os"
	"strings"
	"unicode"
)

// The colours of a terminal.
const (
	bold   = "\x1b[1m"
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	plain  = "\x1b[0m"
)

// isTerminal says whether somebody may look at what is written, or type what is
// read.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// paint colours a text on a terminal, unless NO_COLOR asks for none
// (no-color.org).
func paint(out io.Writer, colour, text string) string {
	if !isTerminal(out) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return colour + text + plain
}

// printable is a text of strangers that may be shown: what would move the cursor,
// or colour what follows, is replaced.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// short cuts a text to so many characters.
func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
