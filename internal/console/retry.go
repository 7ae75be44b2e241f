package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/verobridge/verobridge/internal/delivery"
)

// retryView is what the page shows that asks before dead letters are sent again.
type retryView struct {
	Form deliveriesForm
	// Chosen are single ones, as words.
	Chosen []string
	Fates  []retryFate
	// Letters is how many there are in all, Ambiguous how many of them may have
	// arrived already.
	Letters, Ambiguous int
	UpTo               uint64
	// Back leads to the deliveries that they were chosen from.
	Back string
}

type retryFate struct {
	LetterFate
	Letters int
}

// confirmRetry says how many dead letters would be sent again, and what that
// means.
func (c *Console) confirmRetry(r *http.Request) (any, error) {
	form, chosen, filter, err := retryOf(r)
	if err != nil {
		return nil, err
	}
	found, err := c.o.DeadLetters.CountLetters(r.Context(), filter)
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	v := retryView{Form: form, Chosen: chosen, UpTo: found.UpTo, Back: "/deliveries?" + form.query()}
	for fate, letters := range found.Fates {
		v.Fates = append(v.Fates, retryFate{fate, letters})
		v.Letters += letters
		if fate.Status == delivery.StatusAmbiguous {
			v.Ambiguous += letters
		}
	}
	slices.SortFunc(v.Fates, func(a, b retryFate) int {
		return cmp.Or(cmp.Compare(b.Letters, a.Letters), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Status, b.Status))
	})
	return v, nil
}

// retry sends dead letters again: those that were there when the reader was asked.
func (c *Console) retry(r *http.Request) (string, error) {
	form, _, filter, err := retryOf(r)
	if err != nil {
		return "", err
	}
	if filter.UpTo, err = strconv.ParseUint(r.PostForm.Get("up_to"), 10, 64); err != nil || filter.UpTo == 0 {
		return "", badRequest("Nothing was sent", "Go back to the deliveries and choose again what to send.")
	}
	// It is not left half done because somebody does not wait for it.
	n, err := c.o.DeadLetters.RetryLetters(context.WithoutCancel(r.Context()), filter)
	switch {
	case errors.Is(err, ErrNoRoom):
		return "", &problem{
			http.StatusServiceUnavailable, fmt.Sprintf("%d are queued, and there is no room for more", n),
			"The queue takes more when some of it is sent. The others are still dead letters: do the same again later.", nil,
		}
	case err != nil:
		return "", fmt.Errorf("retry dead letters: %w", err)
	default:
		return "/deliveries?" + form.query("retried", strconv.Itoa(n)), nil
	}
}

// retryOf reads which dead letters are meant: the chosen ones, or all of a filter.
func retryOf(r *http.Request) (form deliveriesForm, chosen []string, filter LetterFilter, err error) {
	if err := r.ParseForm(); err != nil {
		return form, nil, filter, badRequest("The form could not be read", "Go back and try again.")
	}
	form, chosen = formOf(r.Form), r.Form["letter"]
	if filter.Keys, err = parseLetterKeys(chosen); err != nil || len(chosen) > 0 {
		return form, chosen, filter, err
	}
	if r.Form.Has("chosen") {
		return form, nil, filter, badRequest("None is chosen", "Go back and tick the deliveries to send again.")
	}
	filter.DeliveryFilter, err = form.filter()
	return form, nil, filter, err
}
