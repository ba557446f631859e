package httpapi

import "sync"

// Hub tells live streams that their jobs may have news. What the news are they read from the database. It never blocks who
// wakes: a stream that was told and has not looked yet needs no second word.
type Hub struct {
	mu        sync.Mutex
	listeners map[int64]map[chan struct{}]struct{} // by job; as many as there are streams
}

// NewHub makes a hub that nobody listens to yet.
func NewHub() *Hub { return &Hub{listeners: make(map[int64]map[chan struct{}]struct{})} }

// Wake tells the streams of a job, or with 0 those of all.
func (h *Hub) Wake(jobID int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if jobID != 0 {
		wake(h.listeners[jobID])
		return
	}
	for _, ofJob := range h.listeners {
		wake(ofJob)
	}
}

func wake(listeners map[chan struct{}]struct{}) {
	for news := range listeners {
		select {
		case news <- struct{}{}:
		default:
		}
	}
}

// listen returns what receives when there may be news of a job, until leave is called.
func (h *Hub) listen(jobID int64) (news <-chan struct{}, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := make(chan struct{}, 1)
	if h.listeners[jobID] == nil {
		h.listeners[jobID] = make(map[chan struct{}]struct{})
	}
	h.listeners[jobID][mine] = struct{}{}
	return mine, func() { h.leave(jobID, mine) }
}

func (h *Hub) leave(jobID int64, mine chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners[jobID], mine)
	if len(h.listeners[jobID]) == 0 {
		delete(h.listeners, jobID)
	}
}
