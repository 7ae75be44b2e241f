package doctor

import "time"

// mostSkew is how far clocks may be apart before somebody wonders about the times
// in the warehouse.
const mostSkew = 2 * time.Second

// Clock compares this machine's clock with somebody else's. theirs is what their
// clock said at some time from asked to answered, to the precision given.
func (f *Findings) Clock(whose string, theirs, asked, answered time.Time, precision time.Duration) {
	var apart time.Duration
	switch {
	case theirs.Add(precision).Before(asked):
		apart = asked.Sub(theirs.Add(precision))
	case theirs.After(answered):
		apart = answered.Sub(theirs)
	}
	if apart.Abs() <= mostSkew {
		return
	}
	direction := "ahead of"
	if apart < 0 {
		direction = "behind"
	}
	f.Add(Warning, "let both machines keep their clocks with NTP (timedatectl set-ntp true)",
		"this machine's clock is %s %s that of %s: times of receipt, and what is compared with them, are off by as much", apart.Abs().Round(time.Second), direction, whose)
}
