package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// form is a secret as it is written somewhere.
type form struct{ secret, text string }

// formsOf returns a secret as it is, and as it is in JSON, in Go's quotes, in HTML,
// in a URL, in hex and in base64, that of Basic auth among them.
func formsOf(secret string) []form {
	inJSON, _ := json.Marshal(secret) // a string always can be
	texts := []string{
		secret,
		strings.Trim(string(inJSON), `"`),
		strings.Trim(strconv.Quote(secret), `"`),
		html.EscapeString(secret),
		url.QueryEscape(secret),
		url.PathEscape(secret),
		hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	texts = append(texts, inBase64(secret)...)
	var forms []form
	seen := make(map[string]bool)
	for _, text := range texts {
		if !seen[text] {
			forms = append(forms, form{secret, text})
		}
		seen[text] = true
	}
	return forms
}

// inBase64 returns what the base64 of every text has in it that has the secret in
// it, whatever is before and behind: three bytes become four characters, so it
// depends on where among three the secret begins. Characters that are made of its
// neighbours too are left out.
func inBase64(secret string) []string {
	const bits = 6 // of a character
	var texts []string
	for before := range 3 {
		padded := strings.Repeat("-", before) + secret
		first, end := (8*before+bits-1)/bits, 8*len(padded)/bits
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			texts = append(texts, encoding.EncodeToString([]byte(padded))[first:end])
		}
	}
	return texts
}
