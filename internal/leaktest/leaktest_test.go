package leaktest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mains are what TestMain calls in packages whose tests look for goroutines.
var mains = []string{"leaktest.Main", "leaktest.Check", "pgtest.Main"}

// Each package of the program that starts goroutines has tests that look for those
// that are left behind.
func TestEachPackageThatStartsGoroutinesLooksForThem(t *testing.T) {
	t.Parallel()
	starts, looks := make(map[string]token.Position), make(map[string]bool)
	fset := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".."):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if strings.HasSuffix(path, "_test.go") {
			looks[dir] = looks[dir] || looksForGoroutines(file)
		} else if at := goroutine(file); at.IsValid() {
			starts[dir] = fset.Position(at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(starts) < 5 {
		t.Fatalf("only %v start goroutines", starts)
	}
	for _, dir := range slices.Sorted(maps.Keys(starts)) {
		if !looks[dir] {
			t.Errorf("%s starts a goroutine, and the package has no TestMain that calls %s", starts[dir], strings.Join(mains, " or "))
		}
	}
}

// goroutine returns where a file starts one: with go, or with the Go of a group.
func goroutine(file *ast.File) (at token.Pos) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			at = n.Pos()
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && len(n.Args) == 1 {
				at = n.Pos()
			}
		}
		return true
	})
	return at
}

// looksForGoroutines says whether a file has a TestMain that calls one of mains.
func looksForGoroutines(file *ast.File) (looks bool) {
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Name.Name != "TestMain" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && slices.Contains(mains, x.Name+"."+s.Sel.Name) {
					looks = true
				}
			}
			return true
		})
	}
	return looks
}
