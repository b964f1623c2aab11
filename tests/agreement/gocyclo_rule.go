// Prints what gocyclo prints, by its published rule (v0.6.0) over Go's own parser: for where gocyclo itself cannot be
// installed. 1, and 1 for each if, for, non-default case, && and ||; function literals belong to what is around them.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	filepath.Walk(os.Args[1], func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && strings.HasSuffix(path, ".go") {
			measure(path)
		}
		return nil
	})
}

func measure(path string) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		return
	}
	show := func(name string, node ast.Node) {
		at := files.PositionFor(node.Pos(), false)
		fmt.Printf("%d %s %s %s:%d:%d\n", complexity(node), file.Name.Name, name, path, at.Line, at.Column)
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			show(decl.Name.Name, decl)
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok {
					for _, value := range spec.Values {
						if literal, ok := value.(*ast.FuncLit); ok {
							show(spec.Names[0].Name, literal)
						}
					}
				}
			}
		}
	}
}

func complexity(node ast.Node) int {
	count := 1
	ast.Inspect(node, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			count++
		case *ast.CaseClause:
			if node.List != nil {
				count++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				count++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				count++
			}
		}
		return true
	})
	return count
}
