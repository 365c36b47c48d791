// Prints what Go files define, as go/ast sees them: one JSON array of path, name, class of kinds and line for each.
// Functions, methods, methods of interfaces; types, constants and variables of the package; nothing that is named _.
package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := os.Args[1]
	out := json.NewEncoder(os.Stdout)
	files := token.NewFileSet()
	paths := strings.Split(strings.TrimSpace(read(os.Stdin)), "\n")
	for _, path := range paths {
		file, err := parser.ParseFile(files, filepath.Join(root, path), nil, 0)
		if err != nil {
			out.Encode([]any{path, "", "unreadable", 0})
			continue
		}
		tell := func(name *ast.Ident, kind string) {
			if name.Name != "_" {
				out.Encode([]any{path, name.Name, kind, files.Position(name.Pos()).Line})
			}
		}
		for _, declaration := range file.Decls {
			top(declaration, tell)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if it, ok := node.(*ast.InterfaceType); ok {
				for _, method := range it.Methods.List {
					for _, name := range method.Names {
						tell(name, "function")
					}
				}
			}
			return true
		})
	}
}

func top(declaration ast.Decl, tell func(*ast.Ident, string)) {
	switch it := declaration.(type) {
	case *ast.FuncDecl:
		tell(it.Name, "function")
	case *ast.GenDecl:
		for _, spec := range it.Specs {
			switch one := spec.(type) {
			case *ast.TypeSpec:
				tell(one.Name, "class")
			case *ast.ValueSpec:
				for _, name := range one.Names {
					tell(name, "value")
				}
			}
		}
	}
}

func read(file *os.File) string {
	var text strings.Builder
	buffer := make([]byte, 1<<16)
	for {
		count, err := file.Read(buffer)
		text.Write(buffer[:count])
		if err != nil {
			return text.String()
		}
	}
}
