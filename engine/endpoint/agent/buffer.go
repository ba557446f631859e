package agent

import "sync"

// buffer is memory that is used again and again; only the first size bytes count.
type buffer struct {
	memory []byte
	size   int
	pool   *sync.Pool
}

var bufferSizes = []int{4 << 10, 64 << 10, 256 << 10, 1 << 20, maxData}

var bufferPools = func() []*sync.Pool {
	pools := make([]*sync.Pool, len(bufferSizes))
	for i, size := range bufferSizes {
		pools[i] = &sync.Pool{}
		pools[i].New = func() any { return &buffer{memory: make([]byte, size), pool: pools[i]} }
	}
	return pools
}()

// getBuffer returns one of size bytes, at most maxData; what they are is left to chance.
func getBuffer(size int) *buffer {
	if size == 0 {
		return &buffer{}
	}
	for i, s := range bufferSizes {
		if size <= s {
			b := bufferPools[i].Get().(*buffer)
			b.size = size
			return b
		}
	}
	return &buffer{memory: make([]byte, size), size: size}
}

func (b *buffer) bytes() []byte { return b.memory[:b.size] }

func (b *buffer) put() {
	if b.pool != nil {
		b.pool.Put(b)
	}
}
