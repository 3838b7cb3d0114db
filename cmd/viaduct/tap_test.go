package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	children["talk"] = func() { serveTalk(&Talk{}) }
	children["talks otherwise"] = func() { serveTalk(&Talk{otherwise: true}) }
}

func serveTalk(talk *Talk) {
	opts := &rpcpipe.Options{Name: "talk"}
	if name := os.Getenv("TALK_TAP"); name != "" {
		opts.Tap = &rpcpipe.Tap{File: name, Contents: true}
	}
	rpc.RegisterName("Talk", talk)
	serve(opts)
}

// Talk is what a child serves that calls back.
type Talk struct{ otherwise bool }

type Order struct {
	viaduct.Caller
	What string
}

// Buy asks the parent for the price of a thing, which asks for its weight first.
func (k *Talk) Buy(o *Order, reply *map[string]int) error {
	if o.What == "air" {
		return errors.New("air is not for sale")
	}
	var price int
	if err := rpcpipe.FromContext(o.Context()).CallContext(o.Context(), "Home.Price", &Order{What: o.What}, &price); err != nil {
		return err
	}
	if k.otherwise {
		price++
	}
	*reply = map[string]int{"price": price, "a": 1, "b": 2, "c": 3}
	return nil
}

func (*Talk) Weigh(o *Order, reply *int) error { *reply = len(o.What); return nil }

func (*Talk) Meta(o *Order, reply *string) error {
	*reply = viaduct.Metadata(o.Context())["who"]
	return nil
}

// Wait says that it waits where that is wanted: the call has come then, and can be cancelled.
func (*Talk) Wait(o *Order, _ *struct{}) error {
	if os.Getenv("TALK_SAYS") != "" {
		os.Stderr.WriteString("waiting\n")
	}
	<-o.Context().Done()
	return o.Context().Err()
}

func (*Talk) Slurp(o *Order, n *int64) error {
	s, err := rpcpipe.FromContext(o.Context()).Accept()
	if err != nil {
		return err
	}
	defer s.Close()
	*n, err = io.Copy(io.Discard, s)
	return err
}

// Home is what the parent serves.
type Home struct{}

func (Home) Price(o *Order, price *int) error {
	var weight int
	err := rpcpipe.FromContext(o.Context()).CallContext(o.Context(), "Talk.Weigh", &Order{What: o.What}, &weight)
	*price = 10 * weight
	return err
}

// converse has a parent talk to a child, and returns the parent's record of that.
func converse(t *testing.T, contents, streams bool) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "parent.tap")
	server := rpc.NewServer()
	if err := server.RegisterName("Home", Home{}); err != nil {
		t.Fatal(err)
	}
	waits, said := io.Pipe()
	child := procspawn.Self("talk")
	child.Env, child.Stderr = append(child.Environ(), "TALK_SAYS=1"), said
	p, err := rpcpipe.Start(t.Context(), child, &rpcpipe.Options{Server: server, Tap: &rpcpipe.Tap{File: name, Contents: contents}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := viaduct.WithMetadata(t.Context(), map[string]string{"who": "s3cret ada"})
	var sums map[string]int
	var who string
	for _, what := range []string{"tea", strings.Repeat("s3cret", 20000), "coffee"} {
		if err := p.CallContext(ctx, "Talk.Buy", &Order{What: what}, &sums); err != nil || sums["price"] != 10*len(what) {
			t.Fatal(sums, err)
		}
	}
	if err := p.Call("Talk.Buy", &Order{What: "air"}, &sums); err == nil {
		t.Fatal("air was sold")
	}
	if err := p.CallContext(ctx, "Talk.Meta", &Order{}, &who); err != nil || who != "s3cret ada" {
		t.Fatal(who, err)
	}
	if err := p.Notify(ctx, "Talk.Weigh", &Order{What: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	call := make(chan error, 1)
	go func() {
		err := p.CallContext(gone, "Talk.Wait", &Order{}, nil)
		said.CloseWithError(err) // nobody waits for it any more
		call <- err
	}()
	if _, err := io.ReadFull(waits, make([]byte, len("waiting\n"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-call; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if streams {
		done := p.Go("Talk.Slurp", &Order{}, new(int64), nil)
		s, err := p.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(s, "s3cret")
		s.(interface{ CloseWrite() error }).CloseWrite()
		<-done.Done
		s.Close()
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestShow: a record of a real child, in each form.
func TestShow(t *testing.T) {
	for _, contents := range []bool{false, true} {
		name := converse(t, contents, true)
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(file, []byte("s3cret")); has != contents {
			t.Errorf("with contents %v: a secret is in the file: %v", contents, has)
		}
		text := viaductIn(t, "", "show", name)
		text.want(t, 0, text.out)
		for _, part := range []string{
			"parent -> child   call #0 Talk.Buy  ", "parent <- child   call #0 Home.Price  ", "parent -> child   reply #0 Home.Price  ",
			"parent <- child   reply #0 Talk.Buy  ", "notification Talk.Weigh  ", "  failed after ", "cancel #", "stream open #0", "stream end #0",
			"the parent has sent 6 B, the child 0 B", "credit for calls  262,144 B", "link 1 ends\n",
		} {
			if !strings.Contains(text.out, part) {
				t.Errorf("there is no %q in\n%s", part, text.out)
			}
		}
		if has := strings.Contains(text.out, `"What":"tea"`); has != contents {
			t.Errorf("with contents %v: %s", contents, text.out)
		}
		buys := viaductIn(t, "", "show", "-json", "-method", "*.Buy", name)
		calls := 0
		for lines := json.NewDecoder(strings.NewReader(buys.out)); lines.More(); {
			var x entry
			if err := lines.Decode(&x); err != nil {
				t.Fatal(err)
			}
			if x.What == "call" {
				calls++
			}
			if x.Method != "" && x.Method != "Talk.Buy" {
				t.Errorf("-method shows %s of %s", x.What, x.Method)
			}
		}
		if calls != 4 || buys.code != 0 {
			t.Errorf("%d calls of Talk.Buy, code %d: %s", calls, buys.code, buys.err)
		}
		viaductIn(t, "", "show", "-id", "-5", name).want(t, codeUsage, "", "-id is -5: 0 or more was expected")
		viaductIn(t, "", "show", "-id", "-1", name).want(t, codeUsage, "", "-id is -1: 0 or more was expected")
		if r := viaductIn(t, "", "show", "-id", "3", name); strings.Count(r.out, " call #") != 1 {
			t.Errorf("-id 3 shows\n%s", r.out)
		}
		if r := viaductIn(t, "", "show", "-longer", "1h", name); strings.Contains(r.out, "call") {
			t.Errorf("-longer 1h shows\n%s", r.out)
		}
		picture := viaductIn(t, "", "show", "-svg", name)
		for d := xml.NewDecoder(strings.NewReader(picture.out)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v: %s", err, picture.out)
			}
		}
		if !strings.Contains(picture.out, "prefers-color-scheme: dark") || !strings.Contains(picture.out, "Home.Price") {
			t.Errorf("the picture has no calls, or one scheme:\n%s", picture.out)
		}
	}
}

// TestShowBadFile: what is no record, or not all of one.
func TestShowBadFile(t *testing.T) {
	name := converse(t, false, false)
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) string {
		name := filepath.Join(t.TempDir(), "bad.tap")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	cut := viaductIn(t, "", "show", write(file[:len(file)-3]))
	if !strings.Contains(cut.out, "Talk.Buy") || strings.Contains(cut.out, "link 1 ends") {
		t.Errorf("what is before the end is not shown: %s", cut.out)
	}
	cut.want(t, codeFailed, cut.out, "the file is cut: it ends within the record that begins at byte ", "still running?")
	damaged := bytes.Clone(file)
	damaged[len(file)/2] ^= 1
	r := viaductIn(t, "", "show", write(damaged))
	r.want(t, codeFailed, r.out, "the file is damaged")
	newer := bytes.Clone(file)
	binary.LittleEndian.PutUint16(newer[8:], 7)
	viaductIn(t, "", "show", write(newer)).want(t, codeUsage, "", "a tap of version 7 of the format")
	viaductIn(t, "", "show", write([]byte("hello"))).want(t, codeUsage, "", "the file is no tap")
	viaductIn(t, "", "show", write(file[:10])).want(t, codeFailed, "", "the file is cut")
	viaductIn(t, "", "show", write(nil)).want(t, codeFailed, "", "or it is no tap")
	viaductIn(t, "", "show", name+".not").want(t, codeUsage, "", "no such file")
	viaductIn(t, "", "show", "-link", "5", name).want(t, codeUsage, "", "there is no link 5: its links are 1")
	viaductIn(t, string(file), "show", "-").want(t, 0, viaductIn(t, "", "show", name).out)
	whole, err := os.ReadFile(converse(t, true, false))
	if err != nil {
		t.Fatal(err)
	}
	viaductIn(t, "", append([]string{"replay", write(whole[:len(whole)-3])}, self("talk")...)...).want(t, codeNotReplayable, "", "the record is not whole")
}

// TestReplay: the same program answers the same, another one does not, and some records cannot be
// played.
func TestReplay(t *testing.T) {
	parent := converse(t, true, false)
	with(t, "talk", "replay", parent).want(t, 0, "answers: 9 the same, 0 different\n")
	r := with(t, "talks otherwise", "replay", parent)
	r.want(t, codeFailed, r.out, "answers that differ, or are missing: 3")
	for _, part := range []string{"Talk.Buy #0, at ", " is answered otherwise\n  was  reply {", `"price":30`, `"price":31`, "answers: 6 the same, 3 different\n"} {
		if !strings.Contains(r.out, part) {
			t.Errorf("there is no %q in\n%s", part, r.out)
		}
	}
	with(t, "talks otherwise", "replay", "-method", "*.Meta", parent).want(t, 0, "answers: 1 the same, 0 different\n")
	with(t, "talk", "replay", converse(t, false, false)).want(t, codeNotReplayable, "", "not replayable: only sizes were recorded")
	with(t, "talk", "replay", converse(t, true, true)).want(t, codeNotReplayable, "", "not replayable: link 1 has streams")
	late := with(t, "none", "replay", "-timeout", "100ms", parent) // it calls nobody back
	late.want(t, codeFailed, late.out, "differ, or are missing")
	with(t, "leaves", "replay", parent).want(t, codeNotStarted, "", "cannot find my files")
}

// TestReplayOfChild: a record that the child has made is played as well.
func TestReplayOfChild(t *testing.T) {
	name := filepath.Join(t.TempDir(), "child.tap")
	t.Setenv("TALK_TAP", name)
	converse(t, true, false)
	os.Unsetenv("TALK_TAP")
	if r := viaductIn(t, "", "show", name); r.code != 0 || !strings.Contains(r.out, "child  <- parent  call #0 Talk.Buy") {
		t.Fatalf("%+v", r)
	}
	with(t, "talk", "replay", name).want(t, 0, "answers: 9 the same, 0 different\n")
}
