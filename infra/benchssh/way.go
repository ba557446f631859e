package main

import (
	"fmt"
	"slices"
	"strings"
)

// way is how a folder gets to the other host: by a script, or by a job.
type way struct {
	Name  string // in a task
	Title string
	// Script is for bash: $1 is the source and $2 the other host's folder that receives it. $SSH_CONFIG tells ssh how to reach
	// srvtrf; $SFTP_SHELL and $SFTP_ONLY tell rclone, as an ordinary account, where it can run md5sum, and as one for files alone.
	Script string
	Tool   string // the program that must be there
	Job    *job   // instead
}

// job is what is asked of Ketter.
type job struct {
	Strategy string
	From, To string // portals
}

// The portals. Two are one folder of the other host, reached as an account with Ketter's agent and as one for files alone.
const (
	lab      = "LAB"
	srvtrf   = "SRVTRF"
	sftpOnly = "SRVTRF-FILES"
)

var ways = []way{
	{Name: "tar", Title: "tar | ssh tar", Tool: "tar", Script: `tar -C "${1%/*}" -cf - "${1##*/}" | ssh -F "$SSH_CONFIG" srvtrf "tar -C '$2' -xpf -"`},
	{Name: "rsync", Title: "rsync -a", Tool: "rsync", Script: `rsync -a -e "ssh -F $SSH_CONFIG" "$1" "srvtrf:$2"`},
	{Name: "scp", Title: "scp -rp", Tool: "scp", Script: `scp -qrp -F "$SSH_CONFIG" "$1" "srvtrf:$2"`},
	{Name: "rclone", Title: "rclone copy, 8 transfers, compares hashes", Tool: "rclone",
		Script: `rclone copy --config "" --transfers 8 "$1" "$SFTP_SHELL:$2/${1##*/}"`},
	{Name: "rclone-sftp", Title: "rclone copy, 8 transfers, SFTP only, compares sizes", Tool: "rclone",
		Script: `rclone copy --config "" --transfers 8 "$1" "$SFTP_ONLY:$2/${1##*/}"`},
	jobWay("zip-first", "ZIP_FIRST", "", lab, srvtrf),
	jobWay("direct", "DIRECT", "", lab, srvtrf),
	jobWay("auto", "AUTO", "", lab, srvtrf),
	jobWay("direct-sftp", "DIRECT", ", SFTP only", lab, sftpOnly),
	jobWay("zip-first-back", "ZIP_FIRST", ", from SRVTRF", srvtrf, lab),
	jobWay("direct-back", "DIRECT", ", from SRVTRF", srvtrf, lab),
}

func jobWay(name, strategy, suffix, from, to string) way {
	return way{Name: name, Title: "Ketter " + strategy + suffix, Job: &job{strategy, from, to}}
}

func wayNames() string {
	var names []string
	for _, w := range ways {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

func chooseWays(names string) (chosen []way, err error) {
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(ways, func(w way) bool { return w.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no way %q, but %s", name, wayNames())
		}
		chosen = append(chosen, ways[i])
	}
	return chosen, nil
}
