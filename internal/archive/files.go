package archive

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// File is a file of calls.
type File struct {
	// Path is absolute.
	Path string
	// Size is in bytes, compressed where the file is.
	Size int64
}

// Files returns the files at paths, in the order of paths: of a folder all files
// below it, sorted, which is the order of receipt in Segment's archives. Hidden
// files and folders are passed over. It is an error if there is none.
func Files(paths ...string) ([]File, error) {
	var files []File
	for _, path := range paths {
		root, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", path, err)
		}
		// A link to a folder that is named leads there; links below it do not.
		if root, err = filepath.EvalSymlinks(root); err != nil {
			return nil, fmt.Errorf("find %s: %w", path, err)
		}
		before := len(files)
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case path != root && strings.HasPrefix(d.Name(), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir():
				return nil
			}
			info, err := os.Stat(path)
			if err == nil && info.Mode().IsRegular() {
				files = append(files, File{Path: path, Size: info.Size()})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("find files: %w", err)
		}
		if len(files) == before {
			return nil, fmt.Errorf("there is no file in %s", path)
		}
	}
	// The same file may have been named twice, itself and by its folder.
	seen := make(map[string]bool, len(files))
	return slices.DeleteFunc(files, func(f File) bool {
		again := seen[f.Path]
		seen[f.Path] = true
		return again
	}), nil
}
