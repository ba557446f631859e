package soak

import (
	"fmt"
	"time"
)

// fault does something that networks and hosts do, undoes it, and says what it was.
type fault func(s *soak) string

// small are the faults that a worker outlives.
func small() []fault {
	return []fault{(*soak).cut, (*soak).cut, (*soak).swallow, (*soak).refuse, (*soak).killSshd}
}

// untilFault is seldom enough for a job to get through before its attempts are spent.
func (s *soak) untilFault() time.Duration {
	return 2*time.Second + time.Duration(s.mishap.IntN(6000))*time.Millisecond
}

func (s *soak) strike(faults []fault) {
	s.Helper()
	done := faults[s.mishap.IntN(len(faults))](s)
	s.deeds = append(s.deeds, time.Now().UTC().Format("15:04:05.000 ")+done)
}

func (s *soak) cut() string {
	now := s.link.Links()
	s.link.Cut()
	return fmt.Sprintf("cut %d connections", now)
}

func (s *soak) swallow() string {
	s.Helper()
	lasts := s.seconds(4)
	s.link.Swallow()
	time.Sleep(lasts)
	how := "delivered then"
	if s.mishap.IntN(2) == 0 {
		how = "lost"
		s.link.Cut()
	}
	must(s.T, s.link.Restore())
	return fmt.Sprintf("the link swallowed everything for %v, which was %s", lasts, how)
}

func (s *soak) refuse() string {
	s.Helper()
	lasts := s.seconds(3)
	s.link.Refuse()
	time.Sleep(lasts)
	must(s.T, s.link.Restore())
	return fmt.Sprintf("connections were refused for %v", lasts)
}

func (s *soak) killSshd() string {
	s.Helper()
	sessions, lasts := s.sshd.Sessions(), s.seconds(2)
	s.sshd.Kill()
	time.Sleep(lasts)
	must(s.T, s.sshd.Start())
	return fmt.Sprintf("sshd was killed with %d sessions, and started after %v", sessions, lasts)
}

func (s *soak) killWorker() string {
	s.Helper()
	lasts := s.seconds(2)
	s.ketter.Worker.Kill()
	time.Sleep(lasts)
	must(s.T, s.ketter.StartWorker())
	return fmt.Sprintf("the worker was killed, and started after %v", lasts)
}

func (s *soak) seconds(most int) time.Duration {
	return time.Duration(100+s.mishap.IntN(1000*most)) * time.Millisecond
}

// relieve ends whatever was done.
func (s *soak) relieve() {
	s.Helper()
	must(s.T, s.link.Restore())
}
