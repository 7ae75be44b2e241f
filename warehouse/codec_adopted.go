package warehouse

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The loader gives no column these types, but tables that others made have them.
// Each takes the strings that are exactly one of its values.
//
//	date       2026-06-06
//	time       10:15 or 10:15:30.123456
//	uuid       of 32 digits and 4 hyphens
//	inet       an address, or one with the length of its network; cidr a network
//	bytea      \x and hexadecimal digits
//	character  no more than fit, and no space at the end, which Postgres would drop

// castWords takes strings that a function reads.
func castWords(reads func(word string, sizes []int) bool) cast {
	return func(v value, sizes []int) (input, bool) {
		return input{text: v.text}, v.kind == text && reads(v.text, sizes)
	}
}

func isDate(word string, _ []int) bool {
	t, err := time.Parse(time.DateOnly, word)
	return err == nil && t.Year() > 0
}

func putDate(buf []byte, in input) []byte {
	const day = 24 * 60 * 60 * 1_000_000
	t := mustRead(time.Parse(time.DateOnly, in.text))
	return binary.BigEndian.AppendUint32(buf, uint32(int32((t.UnixMicro()-epoch)/day)))
}

// timePattern leaves out what Go reads, too: a comma, one digit of the hour, digits
// that Postgres would round.
var timePattern = regexp.MustCompile(`^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$`)

// timeOfDay reads a time of day as microseconds since midnight.
func timeOfDay(word string) (micros int64, ok bool) {
	layout := "15:04:05"
	if len(word) == len("15:04") {
		layout = "15:04"
	}
	t, err := time.Parse(layout, word)
	if err != nil || !timePattern.MatchString(word) {
		return 0, false
	}
	return t.Sub(t.Truncate(24 * time.Hour)).Microseconds(), true
}

// isTimeOfDay says whether a time of day has no more digits than the column.
func isTimeOfDay(word string, sizes []int) bool {
	micros, ok := timeOfDay(word)
	return ok && (len(sizes) == 0 || micros%int64(math.Pow10(6-sizes[0])) == 0)
}

func putTimeOfDay(buf []byte, in input) []byte {
	micros, _ := timeOfDay(in.text)
	return binary.BigEndian.AppendUint64(buf, uint64(micros))
}

func isUUID(word string, _ []int) bool {
	_, err := uuid.Parse(word)
	return err == nil && len(word) == len(uuid.Nil.String())
}

func putUUID(buf []byte, in input) []byte {
	id := mustRead(uuid.Parse(in.text))
	return append(buf, id[:]...)
}

// network reads an address with the length of its network, which is the whole of
// it where none is said.
func network(word string) (netip.Prefix, bool) {
	if strings.Contains(word, "/") {
		n, err := netip.ParsePrefix(word)
		return n, err == nil
	}
	address, err := netip.ParseAddr(word)
	return netip.PrefixFrom(address, address.BitLen()), err == nil && address.Zone() == ""
}

func isInet(word string, _ []int) bool {
	_, ok := network(word)
	return ok
}

func isCIDR(word string, _ []int) bool {
	n, ok := network(word)
	return ok && n == n.Masked()
}

func putNetwork(buf []byte, in input) []byte {
	const ipv4, ipv6 = 2, 3 // PGSQL_AF_INET and PGSQL_AF_INET6
	n, _ := network(in.text)
	family := byte(ipv6)
	if n.Addr().Is4() {
		family = ipv4
	}
	address := n.Addr().AsSlice()
	return append(append(buf, family, byte(n.Bits()), 0, byte(len(address))), address...)
}

func isBytes(word string, _ []int) bool {
	digits, ok := strings.CutPrefix(word, `\x`)
	_, err := hex.DecodeString(digits)
	return ok && err == nil
}

func putBytes(buf []byte, in input) []byte {
	return mustRead(hex.AppendDecode(buf, []byte(strings.TrimPrefix(in.text, `\x`))))
}

func castCharacter(v value, sizes []int) (input, bool) {
	in, fits := castVarchar(v, sizes)
	return in, fits && !strings.HasSuffix(v.text, " ")
}
