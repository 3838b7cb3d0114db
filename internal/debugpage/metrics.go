package debugpage

var (
	made   = []string{"direction", DirectionMade}
	served = []string{"direction", DirectionServed}
)

var peerMetrics = []metric[Peer]{
	{"viaduct_peer_age_seconds", "How long the link has been up.", gauge, nil, func(p Peer) float64 { return p.Age }},
	{"viaduct_calls_total", "Calls begun here, and calls that have come in.", counter, made, func(p Peer) float64 { return float64(p.Made.Calls) }},
	{"viaduct_calls_total", "", counter, served, func(p Peer) float64 { return float64(p.Served.Calls) }},
	{"viaduct_failures_total", "Calls that were answered with an error; of those served, notifications that failed as well.", counter, made, func(p Peer) float64 { return float64(p.Made.Failed) }},
	{"viaduct_failures_total", "", counter, served, func(p Peer) float64 { return float64(p.Served.Failed) }},
	{"viaduct_calls_cancelled_total", "Calls that their callers gave up.", counter, made, func(p Peer) float64 { return float64(p.Made.Cancelled) }},
	{"viaduct_calls_cancelled_total", "", counter, served, func(p Peer) float64 { return float64(p.Served.Cancelled) }},
	{"viaduct_calls_refused_total", "Calls of the other side that were refused, as too many were in flight.", counter, nil, func(p Peer) float64 { return float64(p.Served.Refused) }},
	{"viaduct_notifications_total", "Notifications sent, and notifications that have come in.", counter, made, func(p Peer) float64 { return float64(p.Made.Notifications) }},
	{"viaduct_notifications_total", "", counter, served, func(p Peer) float64 { return float64(p.Served.Notifications) }},
	{"viaduct_notifications_dropped_total", "Notifications that came in and were not handled, as the link had ended.", counter, nil, func(p Peer) float64 { return float64(p.Served.DroppedNotifications) }},
	{"viaduct_calls_pending", "Calls of this side that wait for their reply.", gauge, nil, func(p Peer) float64 { return float64(p.Made.Pending) }},
	{"viaduct_handlers_running", "Methods that run for the other side.", gauge, nil, func(p Peer) float64 { return float64(p.Served.Running) }},
	{"viaduct_calls_waiting", "Calls of the other side that wait for others to end.", gauge, nil, func(p Peer) float64 { return float64(p.Served.Waiting) }},
	{"viaduct_notifications_waiting", "Notifications that have come in and wait for their turn.", gauge, nil, func(p Peer) float64 { return float64(p.Served.WaitingNotifications) }},
	{"viaduct_oldest_call_seconds", "How long the oldest call has been waiting for its reply, or for its method to return.", gauge, made, func(p Peer) float64 { return oldest(p.Pending) }},
	{"viaduct_oldest_call_seconds", "", gauge, served, func(p Peer) float64 { return oldest(p.Running) }},
	{"viaduct_stalled", "What waits for longer than Options.StallReport now.", gauge, []string{"what", "sending"}, func(p Peer) float64 { return float64(p.Stalls.Sending) }},
	{"viaduct_stalled", "", gauge, []string{"what", "handling"}, func(p Peer) float64 { return float64(p.Stalls.Handling) }},
	{"viaduct_stalls_total", "What has waited for longer than Options.StallReport.", counter, nil, func(p Peer) float64 { return float64(p.Stalls.Total) }},
}

var linkMetrics = []metric[Peer]{
	{"viaduct_link_bytes_total", "Bytes on the link, all overhead included.", counter, []string{"direction", "in"}, func(p Peer) float64 { return float64(p.Link.BytesIn) }},
	{"viaduct_link_bytes_total", "", counter, []string{"direction", "out"}, func(p Peer) float64 { return float64(p.Link.BytesOut) }},
	{"viaduct_send_queue_bytes", "Bytes of messages that are not with the system yet.", gauge, nil, func(p Peer) float64 { return float64(p.Link.SendQueue) }},
	{"viaduct_senders_waiting", "Messages that wait for credit or room to be sent.", gauge, nil, func(p Peer) float64 { return float64(p.Link.Senders) }},
	{"viaduct_credit_bytes", "Bytes that may be sent before the other side has to grant more.", gauge, []string{"class", "call"}, func(p Peer) float64 { return float64(p.Link.CallCredit) }},
	{"viaduct_credit_bytes", "", gauge, []string{"class", "reply"}, func(p Peer) float64 { return float64(p.Link.ReplyCredit) }},
	{"viaduct_credit_bytes", "", gauge, []string{"class", "notification"}, func(p Peer) float64 { return float64(p.Link.NotificationCredit) }},
	{"viaduct_streams", "Streams that have not ended.", gauge, nil, func(p Peer) float64 { return float64(p.Link.Streams) }},
	{"viaduct_round_trip_seconds", "How long the latest ping took; 0 if none was answered yet.", gauge, nil, func(p Peer) float64 { return p.Link.RoundTrip }},
}

var methodMetrics = []metric[*Method]{
	{"viaduct_method_failures_total", "Calls that failed, by their methods: of those made, also those given up or lost with the link.", counter, nil, func(m *Method) float64 { return float64(m.Failed) }},
	{"viaduct_method_notifications_total", "Notifications sent or handled, by their methods.", counter, nil, func(m *Method) float64 { return float64(m.Notifications) }},
	{"viaduct_method_running", "Calls that have not ended, by their methods.", gauge, nil, func(m *Method) float64 { return float64(m.Running) }},
}

var supervisorMetrics = []metric[Supervisor]{
	{"viaduct_supervisor_up", "1 while a child can be called, else 0.", gauge, nil, func(s Supervisor) float64 { return isUp(s.State) }},
	{"viaduct_supervisor_up_seconds", "How long the child has been up; 0 while none is.", gauge, nil, func(s Supervisor) float64 { return s.Up }},
	{"viaduct_supervisor_starts_total", "Starts of children, those that failed included.", counter, nil, func(s Supervisor) float64 { return float64(s.Starts) }},
	{"viaduct_supervisor_restarts_total", "Starts that were made because a child had ended.", counter, nil, func(s Supervisor) float64 { return float64(s.Restarts) }},
	{"viaduct_supervisor_finishing", "Children that were swapped out and have not ended.", gauge, nil, func(s Supervisor) float64 { return float64(s.Finishing) }},
	{"viaduct_supervisor_calls_waiting", "Calls that wait for a child.", gauge, nil, func(s Supervisor) float64 { return float64(s.Waiting) }},
	{"viaduct_supervisor_calls_repeated_total", "Calls that went to one more child.", counter, nil, func(s Supervisor) float64 { return float64(s.Repeated) }},
	{"viaduct_supervisor_notifications_lost_total", "Notifications that children are not known to have handled when they died.", counter, nil, func(s Supervisor) float64 { return float64(s.LostNotifications) }},
}

var poolMetrics = []metric[Pool]{
	{"viaduct_pool_workers", "Workers: one child after another each.", gauge, nil, func(p Pool) float64 { return float64(p.Workers) }},
	{"viaduct_pool_up", "Children that can be given jobs.", gauge, nil, func(p Pool) float64 { return float64(p.Up) }},
	{"viaduct_pool_jobs_running", "Jobs that children have.", gauge, nil, func(p Pool) float64 { return float64(p.Running) }},
	{"viaduct_pool_jobs_waiting", "Jobs that wait for a child.", gauge, nil, func(p Pool) float64 { return float64(p.Queue) }},
	{"viaduct_pool_jobs_total", "Jobs.", counter, nil, func(p Pool) float64 { return float64(p.Jobs) }},
	{"viaduct_pool_jobs_failed_total", "Jobs that were not done, or whose method has failed.", counter, nil, func(p Pool) float64 { return float64(p.Failed) }},
	{"viaduct_pool_jobs_lost_total", "How often a child has died with a job.", counter, nil, func(p Pool) float64 { return float64(p.Lost) }},
	{"viaduct_pool_jobs_repeated_total", "How often a job was given to one more child.", counter, nil, func(p Pool) float64 { return float64(p.Repeated) }},
	{"viaduct_pool_children_recycled_total", "Children that were replaced after their jobs, or for their memory.", counter, nil, func(p Pool) float64 { return float64(p.Recycled) }},
	{"viaduct_pool_children_killed_total", "Children that were killed, as a job that was given up did not end.", counter, nil, func(p Pool) float64 { return float64(p.Killed) }},
}

func isUp(state string) float64 {
	if state == "up" {
		return 1
	}
	return 0
}

// oldest is how long the first of calls has been going on.
func oldest(calls []Call) float64 {
	if len(calls) == 0 {
		return 0
	}
	return calls[0].Age
}
