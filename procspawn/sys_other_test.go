//go:build !unix && !windows

package procspawn

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func openFiles() []string { return nil }

func haveChildren() bool { return false }

func TestStartIsUnsupported(t *testing.T) {
	_, err := Start(context.Background(), selfCmd("echo"), nil)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}
