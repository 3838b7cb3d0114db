package capture

import (
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Parallel()
	os.Exit(m.Run())
}
