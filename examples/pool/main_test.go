package main

import (
	"net/rpc"
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// intruder is a service of children in tests: see there. Nil: there is none.
var intruder any

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() {
		if intruder != nil {
			if err := rpc.Register(intruder); err != nil {
				panic(err)
			}
		}
		main()
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// TestImages: those that are expected to be harmless are, and say who they are.
func TestImages(t *testing.T) {
	images, bad, err := makeImages(80)
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 80 || len(bad) != 5 {
		t.Errorf("%d images, %d bad ones", len(images), len(bad))
	}
	for i, data := range images {
		if bad[i] {
			continue
		}
		var p Picture
		err := Decoder{}.Decode(data, &p)
		width, height := size(i)
		if err != nil || p.Title != name(i) || p.Width != width || p.Height != height {
			t.Errorf("image %d: %+v, %v", i, p, err)
		}
	}
}
