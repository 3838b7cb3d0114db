package work

import "time"

// Caller calls as rpc.Client does.
type Caller interface {
	Call(method string, args, reply any) error
}

// Client does the work by calls in the manner of net/rpc.
type Client struct {
	Caller
	add, echo, update, floats, usage, callBack string
}

// NewClient returns one that calls the methods of the service of this name.
func NewClient(c Caller, service string) *Client {
	return &Client{
		Caller: c,
		add:    service + ".Add", echo: service + ".Echo", update: service + ".Update",
		floats: service + ".EchoFloats", usage: service + ".Usage", callBack: service + ".CallBack",
	}
}

// Add is work.Adder's.
func (c *Client) Add(a, b int) (int, error) {
	var sum Sum
	err := c.Call(c.add, &Pair{a, b}, &sum)
	return sum.C, err
}

// Echo is work.Echoer's.
func (c *Client) Echo(p []byte) ([]byte, error) {
	var back []byte
	err := c.Call(c.echo, p, &back)
	return back, err
}

// Update is work.Updater's.
func (c *Client) Update(r Record) (Record, error) {
	var back Record
	err := c.Call(c.update, &r, &back)
	return back, err
}

// EchoFloats is work.FloatsEchoer's.
func (c *Client) EchoFloats(list []float64) ([]float64, error) {
	var back []float64
	err := c.Call(c.floats, list, &back)
	return back, err
}

// Usage is work.Peer's.
func (c *Client) Usage(memory bool) (Usage, error) {
	var u Usage
	err := c.Call(c.usage, &Want{memory}, &u)
	return u, err
}

// CallBack is work.CallBacker's.
func (c *Client) CallBack(callers int, d time.Duration) (int, error) {
	return c.CallBackBy(0, callers, d)
}

// CallBackBy is CallBack on the way back that has this number.
func (c *Client) CallBackBy(broker uint32, callers int, d time.Duration) (int, error) {
	var n int
	err := c.Call(c.callBack, &CallBack{callers, d, broker}, &n)
	return n, err
}
