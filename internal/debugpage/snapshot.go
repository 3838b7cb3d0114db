// Package debugpage shows what a program's links are doing: as a page without script, as JSON and as
// text for Prometheus.
//
// It assumes that a Snapshot can be had at any time. It promises to answer nobody whose request was
// made for another host, to load nothing from elsewhere, and to hold nothing between requests.
package debugpage

import "time"

// FormatVersion is the Version of a Snapshot. It changes if a field changes its meaning or goes.
const FormatVersion = 1

// A Snapshot is what there is to see at one time. Its JSON is what users' programs read: fields are
// added, and stay as they are.
type Snapshot struct {
	Version    int       `json:"version"`
	Time       time.Time `json:"time"`
	Program    string    `json:"program"`
	Pid        int       `json:"pid"`
	Goroutines int       `json:"goroutines"`

	Peers       []Peer       `json:"peers"`
	Supervisors []Supervisor `json:"supervisors"`
	Pools       []Pool       `json:"pools"`
	Exits       []Exit       `json:"exits"` // the latest first
}

// A Peer is one that has not ended.
type Peer struct {
	Peer       string  `json:"peer"` // what it is called here: no other one is
	Kind       string  `json:"kind"` // child, parent, connection, pair, bare
	Name       string  `json:"name,omitempty"`
	Version    string  `json:"version,omitempty"`
	Language   string  `json:"language,omitempty"`
	Pid        int     `json:"pid,omitempty"`
	Supervisor string  `json:"supervisor,omitempty"`
	Age        float64 `json:"age_seconds"`
	State      string  `json:"state"` // up, ending, ended

	Made    Made     `json:"made"`
	Served  Served   `json:"served"`
	Stalls  Stalls   `json:"stalls"`
	Link    *Link    `json:"link,omitempty"` // nil on a bare connection
	Methods []Method `json:"methods"`

	Pending     []Call `json:"pending"` // the oldest first
	PendingMore int    `json:"pending_more,omitempty"`
	Running     []Call `json:"running"` // the oldest first
	RunningMore int    `json:"running_more,omitempty"`
}

// Made counts the calls of this side.
type Made struct {
	Calls         uint64 `json:"calls"`
	Failed        uint64 `json:"failed"`
	Cancelled     uint64 `json:"cancelled"`
	Notifications uint64 `json:"notifications"`
	Pending       int    `json:"pending"`
}

// Served counts the calls of the other side.
type Served struct {
	Calls                uint64 `json:"calls"`
	Failed               uint64 `json:"failed"`
	Cancelled            uint64 `json:"cancelled"`
	Refused              uint64 `json:"refused"`
	Notifications        uint64 `json:"notifications"`
	DroppedNotifications uint64 `json:"dropped_notifications"`
	Running              int    `json:"running"`
	Waiting              int    `json:"waiting"`
	WaitingNotifications int    `json:"waiting_notifications"`
}

// Stalls count what waits for too long.
type Stalls struct {
	Sending  int    `json:"sending"`
	Handling int    `json:"handling"`
	Total    uint64 `json:"total"`
}

// Link is what carries the calls. Sizes are in bytes.
type Link struct {
	BytesIn            uint64  `json:"bytes_in"`
	BytesOut           uint64  `json:"bytes_out"`
	SendQueue          int     `json:"send_queue"`
	Senders            int     `json:"senders"`
	Streams            int     `json:"streams"`
	RoundTrip          float64 `json:"round_trip_seconds"`
	CallCredit         int64   `json:"call_credit"`
	ReplyCredit        int64   `json:"reply_credit"`
	NotificationCredit int64   `json:"notification_credit"`
}

// A Method has the numbers of one.
type Method struct {
	Method        string  `json:"method"`
	Direction     string  `json:"direction"` // made, served
	Ended         uint64  `json:"ended"`
	Failed        uint64  `json:"failed"`
	Notifications uint64  `json:"notifications"`
	Running       int     `json:"running"`
	Rate          float64 `json:"rate"` // a second, over the last RateSeconds
	P50           float64 `json:"p50_seconds"`
	P90           float64 `json:"p90_seconds"`
	P99           float64 `json:"p99_seconds"`
	Max           float64 `json:"max_seconds"`
	Total         float64 `json:"total_seconds"`

	Histogram []uint64 `json:"histogram"` // how many took from 2^i to 2^(i+1) ns
	Recent    []uint32 `json:"recent"`    // in each of the last 60 seconds, the latest last
}

// Directions of a Method.
const (
	DirectionMade   = "made"
	DirectionServed = "served"
)

// RateSeconds is how many seconds a Rate is the mean of.
const RateSeconds = 10

// RateOf returns the rate that the counts of the last seconds make.
func RateOf(recent []uint32) float64 {
	recent = recent[max(0, len(recent)-RateSeconds):]
	sum := 0.0
	for _, n := range recent {
		sum += float64(n)
	}
	return sum / RateSeconds
}

// A Call is one that has not ended.
type Call struct {
	Method       string  `json:"method"`
	Notification bool    `json:"notification,omitempty"`
	Age          float64 `json:"age_seconds"`
}

// A Supervisor is one that has not ended.
type Supervisor struct {
	Supervisor        string  `json:"supervisor"`
	Pool              string  `json:"pool,omitempty"`
	State             string  `json:"state"`
	Error             string  `json:"error,omitempty"`
	Starts            int     `json:"starts"`
	Restarts          int     `json:"restarts"`
	Pid               int     `json:"pid,omitempty"`
	Up                float64 `json:"up_seconds"`
	Finishing         int     `json:"finishing"`
	Waiting           int     `json:"waiting"`
	Repeated          uint64  `json:"repeated"`
	LostNotifications uint64  `json:"lost_notifications"`
	Took              Latency `json:"took"`
}

// A Pool is one that has not ended.
type Pool struct {
	Pool     string  `json:"pool"`
	Workers  int     `json:"workers"`
	Up       int     `json:"up"`
	Running  int     `json:"running"`
	Queue    int     `json:"queue"`
	Jobs     uint64  `json:"jobs"`
	Failed   uint64  `json:"failed"`
	Lost     uint64  `json:"lost"`
	Repeated uint64  `json:"repeated"`
	Recycled uint64  `json:"recycled"`
	Killed   uint64  `json:"killed"`
	Wait     Latency `json:"wait"`
	Took     Latency `json:"took"`
}

// Latency is a distribution of durations.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_seconds"`
	P90   float64 `json:"p90_seconds"`
	P99   float64 `json:"p99_seconds"`
	Max   float64 `json:"max_seconds"`
}

// An Exit is the end of a Peer, or of a start of a child.
type Exit struct {
	Time     time.Time `json:"time"`
	Peer     string    `json:"peer"`
	Name     string    `json:"name,omitempty"`
	Pid      int       `json:"pid,omitempty"`
	Lifetime float64   `json:"lifetime_seconds"`
	Orderly  bool      `json:"orderly"`
	Text     string    `json:"text"`
	Crash    string    `json:"crash,omitempty"` // what the runtime has printed, its beginning
}
