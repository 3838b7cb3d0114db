// Command neovim starts the editor Neovim, calls it, and is called back by it,
// both over Neovim's stdin and stdout, which speak MessagePack-RPC as it is.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// SetLines are the parameters of nvim_buf_set_lines, with types. viaduct.Params
// are parameters without.
type SetLines struct {
	viaduct.Positional
	Buffer     any // its number, or the viaduct.Ext that Neovim has for it
	Start, End int
	Strict     bool
	Lines      []string
}

// Plugin is what Neovim may call.
type Plugin struct {
	started chan struct{} // closed when nvim is set
	nvim    *rpcpipe.Peer
	heard   chan string
}

// SortArgs are parameters as rpcrequest passes them.
type SortArgs struct {
	viaduct.Positional
	Buffer  int
	Reverse bool
}

// Sort sorts the lines of a buffer, and replies how many there are. Neovim,
// which waits for the reply, is called back for the lines.
func (p *Plugin) Sort(args SortArgs, count *int) error {
	<-p.started
	var lines []string
	if err := p.nvim.Call("nvim_buf_get_lines", viaduct.Params{args.Buffer, 0, -1, true}, &lines); err != nil {
		return err
	}
	slices.Sort(lines)
	if args.Reverse {
		slices.Reverse(lines)
	}
	*count = len(lines)
	return p.nvim.Call("nvim_buf_set_lines", SetLines{Buffer: args.Buffer, End: -1, Lines: lines}, nil)
}

// Hear is called one way, with rpcnotify.
func (p *Plugin) Hear(word string, _ *any) error {
	p.heard <- word
	return nil
}

// start starts Neovim. What it returns last ends it.
func start(plugin *Plugin) (*rpcpipe.Peer, func() error, error) {
	server := rpc.NewServer()
	if err := server.Register(plugin); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("nvim", "--embed", "--headless", "--clean", "-n")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); errors.Is(err, exec.ErrNotFound) {
		return nil, nil, fmt.Errorf("%w: install Neovim 0.7 or later (apt-get install neovim, brew install neovim)", err)
	} else if err != nil {
		return nil, nil, err
	}
	nvim := rpcpipe.NewBare(stdio{stdout, stdin}, &rpcpipe.Options{
		Server:            server,
		ServiceMethod:     func(name string) string { return "Plugin." + name },
		AnswerLatestFirst: true, // Neovim needs it
		Logger:            slog.Default(),
	})
	plugin.nvim = nvim
	close(plugin.started)
	stop := func() error {
		nvim.Close() // Neovim exits when its stdin ends
		defer time.AfterFunc(2*time.Second, func() { cmd.Process.Kill() }).Stop()
		nvim.Wait() // cmd.Wait is for when nobody reads stdout any more
		return cmd.Wait()
	}
	return nvim, stop, nil
}

// stdio is a connection made of the stdout and the stdin of a process.
type stdio struct {
	io.ReadCloser
	stdin io.WriteCloser
}

func (s stdio) Write(p []byte) (int, error) { return s.stdin.Write(p) }

func (s stdio) Close() error { return errors.Join(s.stdin.Close(), s.ReadCloser.Close()) }

func run() (err error) {
	plugin := &Plugin{started: make(chan struct{}), heard: make(chan string, 3)}
	nvim, stop, err := start(plugin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	var sum int
	if err := nvim.Call("nvim_eval", "1 + 2", &sum); err != nil {
		return err
	}
	fmt.Println("Neovim says that 1 + 2 is", sum)

	var buffer viaduct.Ext // a handle, passed on as it came
	if err := nvim.Call("nvim_get_current_buf", viaduct.Params{}, &buffer); err != nil {
		return err
	}
	lines := []string{"pear", "apple", "fig"}
	if err := nvim.Call("nvim_buf_set_lines", SetLines{Buffer: buffer, End: -1, Lines: lines}, nil); err != nil {
		return err
	}

	err = nvim.Call("nvim_eval", "nope", nil)
	var failed rpc.ServerError
	if !errors.As(err, &failed) {
		return fmt.Errorf("a variable that does not exist: %v", err)
	}
	fmt.Println("an error of Neovim:", failed)

	var info struct {
		Channel  int // what Neovim calls this link
		Metadata any
	}
	if err := nvim.Call("nvim_get_api_info", viaduct.Params{}, &info); err != nil {
		return err
	}
	var count int
	if err := nvim.Call("nvim_exec_lua", viaduct.Params{`
		local channel = ...
		for _, word in ipairs({"uno", "dos", "tres"}) do
			vim.rpcnotify(channel, "Hear", word)
		end
		return vim.rpcrequest(channel, "Sort", vim.api.nvim_get_current_buf(), false)
		`, []any{info.Channel}}, &count); err != nil {
		return err
	}
	fmt.Println("Neovim told me", <-plugin.heard, <-plugin.heard, <-plugin.heard)
	if err := nvim.Call("nvim_buf_get_lines", viaduct.Params{buffer, 0, -1, true}, &lines); err != nil {
		return err
	}
	fmt.Println("Neovim had me sort", count, "lines:", lines)

	// Neovim ends, and with it the link, before it replies.
	if err := nvim.Call("nvim_command", "qall!", nil); !errors.Is(err, rpc.ErrShutdown) {
		return fmt.Errorf("on qall! the call ended with %v", err)
	}
	fmt.Println("Neovim has ended")
	return nil
}
