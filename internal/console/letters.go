package console

import (
	"context"
	"errors"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/story"
)

// DeadLetters are the events that failed for good and are kept, to be sent again.
type DeadLetters interface {
	// EachLetter hands over the destination of each letter until each returns false.
	EachLetter(ctx context.Context, each func(destination string) bool) error
	// CountLetters counts those that match.
	CountLetters(ctx context.Context, f LetterFilter) (LetterCount, error)
	// RetryLetters queues those that match to be sent again, and returns how many
	// that are. On ErrNoRoom the rest has to be tried later.
	RetryLetters(ctx context.Context, f LetterFilter) (int, error)
}

// ErrNoRoom says that the spool cannot queue more until some of it is sent.
var ErrNoRoom = errors.New("there is no room for more until some of them are sent")

// LetterFilter picks dead letters. Empty fields pick all.
type LetterFilter struct {
	story.DeliveryFilter
	// Keys name single ones.
	Keys []LetterKey
	// UpTo is the sequence of the last one to take, 0 for no end.
	UpTo uint64
}

// LetterKey names the dead letter of one event at one destination.
type LetterKey struct {
	Source      string `json:"source"`
	MessageID   string `json:"message_id"`
	Destination string `json:"destination"`
}

// LetterCount says how many dead letters there are, by what became of them.
type LetterCount struct {
	Fates map[LetterFate]int
	// UpTo is the sequence of the last one, 0 without any.
	UpTo uint64
}

// LetterFate is what became of a dead letter.
type LetterFate struct {
	Destination string
	Status      delivery.Status
	Reason      delivery.Reason
}
