//go:build !linux

package torture

import "errors"

var errNoDisk = errors.New("needs Linux: a disk that can lose power is mounted through FUSE")

func preparePower(string) (harm, string, error)   { return nil, "", errNoDisk }
func prepareBadDisk(string) (harm, string, error) { return nil, "", errNoDisk }
