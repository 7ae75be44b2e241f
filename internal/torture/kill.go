package torture

import (
	"context"
	"time"
)

// kill ends the bridge without warning: while it works, while it stops, or
// while it starts.
func kill(ctx context.Context, w *world) error {
	switch w.random.IntN(5) {
	case 0:
		w.process.Terminate()
		pause(ctx, w.moment(100*time.Millisecond))
		w.process.Kill()
	case 1:
		w.process.Kill()
		if err := w.process.Launch(); err != nil {
			return err
		}
		pause(ctx, w.moment(200*time.Millisecond))
		w.process.Kill()
	default:
		w.process.Kill()
	}
	return w.process.Start(ctx)
}

// stop ends the bridge as platforms do, and starts it again.
func stop(ctx context.Context, w *world) error {
	if err := w.process.Stop(); err != nil {
		return err
	}
	return w.process.Start(ctx)
}
