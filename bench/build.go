package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
)

// module is the one that has the minimal programs.
const module = "github.com/viaduct-go/viaduct/bench"

// build builds the minimal programs of these contenders, and the empty one, into a directory. That
// needs the go command, and the directory of the module as the current one, as go run -C has it.
func build(ctx context.Context, dir string, contenders []string) error {
	packages := []string{"./minimal/empty"}
	for _, c := range contender.All {
		if slices.Contains(contenders, c.Name) {
			packages = append(packages, "./minimal/"+c.Program)
		}
	}
	for _, args := range [][]string{
		{"list", "-m"},
		append([]string{"build", "-o", dir + string(filepath.Separator)}, packages...),
	} {
		out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("there is no go command")
		}
		if err != nil {
			return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
		}
		if args[0] == "list" && strings.TrimSpace(string(out)) != module {
			return fmt.Errorf("the current directory is not that of the module %s", module)
		}
	}
	return nil
}
