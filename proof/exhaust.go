package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// exhaustAll takes away what the library needs of the system, each time in a process of its own.
func exhaustAll(t *trials) {
	before := rpctest.TakeCensus()
	all := scenes()
	crowd := 1000
	if t.trials > 0 && t.trials < len(all) { // a few, and not for long
		crowd = 60
	}
	made := &table{Title: "What was taken away", Head: []string{"what", "scenes", "attempts that worked", "with an error", "for instance"}}
	sum := make(map[string]*Played)
	times := make(map[string]int)
	for _, i := range t.sample(len(all)) {
		sc := all[i]
		if sc.root && os.Geteuid() != 0 {
			t.notes[sc.name] = "not run: needs root"
			continue
		}
		played := t.stage(sc, i, crowd)
		if sum[sc.group] == nil {
			sum[sc.group] = new(Played)
		}
		of := sum[sc.group]
		times[sc.group]++
		of.Worked, of.Failed, of.Error = of.Worked+played.Worked, of.Failed+played.Failed, cmp.Or(of.Error, played.Error)
		for _, left := range before.Left() {
			t.found("left behind", "%s: %s", sc.name, left)
		}
		t.next()
	}
	for _, group := range slices.Sorted(maps.Keys(sum)) {
		of := sum[group]
		made.Rows = append(made.Rows, []string{group, fmt.Sprint(times[group]), fmt.Sprint(of.Worked), fmt.Sprint(of.Failed), shortened(of.Error)})
	}
	t.tables = append(t.tables, made)
}

// shortened is the text of an error in a table: its first line, without numbers of processes.
func shortened(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = regexp.MustCompile(`child \d+`).ReplaceAllString(text, "child N")
	if r := []rune(text); len(r) > 100 {
		text = string(r[:100]) + "..."
	}
	return strings.ReplaceAll(text, "|", "\\|")
}

// stage has a process of its own play one scene.
func (t *trials) stage(sc scene, number, crowd int) (played Played) {
	cmd := procspawn.Self("scene", fmt.Sprint(number))
	cmd.SysProcAttr = sc.attr
	if sc.attr != nil && sc.attr.Credential != nil {
		path, remove, err := forAll(cmd.Path)
		if err != nil {
			t.found("unknown error", "%s: a copy of this program for another user: %v", sc.name, err)
			return played
		}
		defer remove()
		cmd.Path = path
	}
	p, err := rpcpipe.Start(context.Background(), cmd, options())
	if err != nil {
		t.found("unknown error", "%s: start: %v", sc.name, err)
		return played
	}
	defer p.Wait()
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	if err := p.CallContext(ctx, "Scene.Play", &Data{N: crowd}, &played); err != nil {
		kind := "wrong answer"
		if ctx.Err() != nil {
			kind = "hang"
		}
		t.found(kind, "%s: %v", sc.name, err)
		p.Process().Kill()
		return played
	}
	for _, f := range played.Found {
		t.found(f.Kind, "%s: %s", sc.name, f.Text)
	}
	t.figures["attempts that worked"] += played.Worked
	t.figures["attempts that ended with an error"] += played.Failed
	for name, n := range played.Figures {
		t.figures[name] += n
	}
	return played
}

// forAll returns the path of a copy of a program that every user may run, which go run's own, in the
// cache of the user who runs it, is not.
func forAll(program string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "viaduct-proof-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	data, err := os.ReadFile(program)
	if err == nil {
		path = filepath.Join(dir, filepath.Base(program))
		err = os.WriteFile(path, data, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Chmod(path, 0o755) // whatever the umask is
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

// scene is one kind of want.
type scene struct {
	name  string
	group string
	root  bool                 // it needs root
	attr  *syscall.SysProcAttr // of its process
	play  func(s *stage)
}

// nobody is a user who has no other processes.
const nobody = 61_234

// scenes are all that there are.
func scenes() []scene {
	asNobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	apart := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	list := []scene{
		{name: "no descriptors for a link that is there", play: (*stage).linkWithoutDescriptors},
		{name: "few descriptors for a child", play: (*stage).childWithFewDescriptors},
		{name: "little address space for a child", play: (*stage).childWithLittleSpace},
		{name: "no address space for a parent", play: (*stage).parentWithoutSpace},
		{name: "no more processes", root: true, attr: asNobody, play: (*stage).noProcesses},
		{name: "pipe pages used up", root: true, attr: asNobody, play: (*stage).smallPipes},
		{name: "a full disk under a tap", root: true, attr: apart, play: (*stage).fullDisk},
		{name: "no /proc", root: true, attr: apart, play: (*stage).noProc},
		{name: "many children at once", play: (*stage).crowd},
		{name: "SIGCHLD ignored", play: (*stage).ignoresSIGCHLD},
		{name: "SIGPIPE, SIGTERM, SIGHUP and SIGINT ignored", play: (*stage).ignoresOthers},
		{name: "a child that ignores SIGTERM", play: (*stage).childIgnoresSIGTERM},
	}
	for i := range list {
		list[i].group = list[i].name
	}
	for closed := 1; closed < 8; closed++ {
		list = append(list,
			scene{name: fmt.Sprintf("a parent without descriptors %v", among(closed)), group: "a parent without some of descriptors 0 to 2", play: func(s *stage) { s.parentWithout(among(closed)) }},
			scene{name: fmt.Sprintf("a child without descriptors %v", among(closed)), group: "a child without some of descriptors 0 to 2", play: func(s *stage) { s.childWithout(among(closed)) }},
		)
	}
	for n := range 25 {
		list = append(list, scene{name: fmt.Sprintf("%d descriptors left", n), group: "0 to 24 descriptors left", play: func(s *stage) { s.fewDescriptors(n) }})
	}
	return list
}

// among returns which of descriptors 0, 1 and 2 the bits mean.
func among(bits int) (list []int) {
	for fd := range 3 {
		if bits&(1<<fd) != 0 {
			list = append(list, fd)
		}
	}
	return list
}
