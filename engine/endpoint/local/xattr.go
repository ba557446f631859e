package local

import "golang.org/x/sys/unix"

// grown calls with a buffer that is large enough for what it says there is, which may grow meanwhile.
func grown(call func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := call(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = call(b)
		if err != unix.ERANGE {
			return b[:max(n, 0)], err
		}
	}
}
