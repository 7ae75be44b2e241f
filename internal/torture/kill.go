package torture

import (
	"context"
	"syscall"
	"time"
)

// kill ends the bridge without warning: while it works, while it stops, or
// while it starts.
func kill(ctx context.Context, w *world) error {
	switch w.random.IntN(5) {
	case 0:
		_ = w.process.command.Process.Signal(syscall.SIGTERM)
		pause(ctx, w.moment(100*time.Millisecond))
		w.process.kill()
	case 1:
		w.process.kill()
		if err := w.process.launch(); err != nil {
			return err
		}
		pause(ctx, w.moment(200*time.Millisecond))
		w.process.kill()
	default:
		w.process.kill()
	}
	return w.process.start(ctx)
}

// stop ends the bridge as platforms do, and starts it again.
func stop(ctx context.Context, w *world) error {
	if err := w.process.stop(); err != nil {
		return err
	}
	return w.process.start(ctx)
}
