package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
)

// Vault is all that the child may ask of the parent. Its methods look at each argument as at a
// stranger's.
type Vault struct {
	folder string
	mu     sync.Mutex // held while a note is written
	notes  int
}

// readable are the files that the child may have, by their names. A list of names cannot be talked
// round; a check of a path can.
var readable = map[string]bool{"motd": true}

const (
	mostRead  = 32 << 10 // bytes of a file
	mostNote  = 200      // bytes
	mostNotes = 1000     // or the child could fill the disk
)

// Read replies with what a file has.
func (v *Vault) Read(name string, text *[]byte) error {
	if !readable[name] {
		return fmt.Errorf("%.20q is not for you", name)
	}
	file, err := os.Open(filepath.Join(v.folder, name))
	if err != nil {
		return err
	}
	defer file.Close()
	*text, err = io.ReadAll(io.LimitReader(file, mostRead))
	return err
}

// Note adds a line to the journal.
func (v *Vault) Note(text string, _ *struct{}) error {
	if len(text) > mostNote || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a note is one line of at most %d bytes", mostNote)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.notes == mostNotes {
		return fmt.Errorf("there are %d notes already", v.notes)
	}
	file, err := os.OpenFile(filepath.Join(v.folder, "journal"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	v.notes++
	_, err = fmt.Fprintln(file, text)
	return err
}
