package mockvero

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"time"
)

// kind is something that happens to an email, by its webhook type.
type kind string

const (
	sent         kind = "sent"
	delivered    kind = "delivered"
	opened       kind = "opened"
	clicked      kind = "clicked"
	bounced      kind = "bounced"
	unsubscribed kind = "unsubscribed"
	complained   kind = "complained"
)

// email is one email that an event triggered.
type email struct {
	key     digest // of the event
	event   string // its name
	userID  string // the person's id at Vero
	address string
	at      time.Time // when it was sent
	number  int       // of the email, counted from 0
}

// firstCourses are the courses of the first emails. Together they have all
// kinds, so that a short run shows each table filled.
var firstCourses = [][]kind{
	{sent, delivered, opened, clicked},
	{sent, bounced},
	{sent, delivered, opened, unsubscribed},
	{sent, delivered, opened, complained},
}

// course returns what happens to the email, in order. It depends on the email's
// number and its event alone. The shares are those of a healthy list.
func (m email) course() []kind {
	if m.number < len(firstCourses) {
		return firstCourses[m.number]
	}
	chance := rand.New(rand.NewPCG(binary.BigEndian.Uint64(m.key[:8]), binary.BigEndian.Uint64(m.key[8:16]))).Float64
	if chance() < 0.02 {
		return []kind{sent, bounced}
	}
	course := []kind{sent, delivered}
	if chance() >= 0.45 {
		return course
	}
	course = append(course, opened)
	if chance() < 0.30 {
		course = append(course, clicked)
	}
	switch fate := chance(); {
	case fate < 0.003:
		course = append(course, complained)
	case fate < 0.013:
		course = append(course, unsubscribed)
	}
	return course
}

// messageID has the form of the Message-ID of Vero's emails.
func (m email) messageID() string {
	return fmt.Sprintf("%s.1.%s@veromail.example", m.at.UTC().Format("20060102150405"), strings.ToUpper(hex.EncodeToString(m.key[:8])))
}

// knownByAddress says whether the person has no id of their own.
func (m email) knownByAddress() bool { return m.userID == m.address }

// campaignID is the same for all emails that an event of this name triggers.
func (m email) campaignID() int {
	return 1000 + int(crc32.ChecksumIEEE([]byte(sameName(m.event)))%9000)
}

func (m email) campaignName() string { return m.event + " email" }

func (m email) subject() string { return "About: " + m.event }

func (m email) permalink() string {
	return "http://app.getvero.com/view/1/" + hex.EncodeToString(m.key[16:])
}
