//go:build !linux

package torture

import (
	"context"
	"errors"
)

var errNoDisk = errors.New("needs Linux: a disk that can lose power is mounted through FUSE")

func preparePower(context.Context, string, string) (harm, site, error) {
	return nil, site{}, errNoDisk
}

func prepareBadDisk(context.Context, string, string) (harm, site, error) {
	return nil, site{}, errNoDisk
}
