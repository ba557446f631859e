package httpapi_test

import (
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
)

func TestBadPortalsAreRefused(t *testing.T) {
	f := setup(t)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	credential := func(s string) map[string]any { return map[string]any{"credential": raw(s)} }
	locked := encode(privateKey("hunter2"))
	for name, test := range map[string]struct {
		body, says string
	}{
		"no name":                     {sftpWith(map[string]any{"name": nil}), "name is"},
		"digits":                      {sftpWith(map[string]any{"name": "12"}), "digits alone"},
		"name with a slash":           {sftpWith(map[string]any{"name": "a/b"}), "name is"},
		"name with a line":            {sftpWith(map[string]any{"name": "a\n"}), "name is"},
		"no kind":                     {sftpWith(map[string]any{"kind": nil}), "kind is missing"},
		"wrong kind":                  {sftpWith(map[string]any{"kind": "ftp"}), "local or sftp"},
		"no root":                     {sftpWith(map[string]any{"root_path": nil}), "root_path is missing"},
		"relative root":               {sftpWith(map[string]any{"root_path": "data"}), "not absolute"},
		"no host":                     {sftpWith(map[string]any{"host": nil}), "host is missing"},
		"host is an option":           {sftpWith(map[string]any{"host": "-oProxyCommand=x"}), "host is"},
		"host with user":              {sftpWith(map[string]any{"host": "u@h"}), "host is"},
		"host with a zone of its own": {sftpWith(map[string]any{"host": "fe80::1%a b"}), "host is"},
		"no username":                 {sftpWith(map[string]any{"username": nil}), "username is missing"},
		"username with a space":       {sftpWith(map[string]any{"username": "a b"}), "username is"},
		"port 0":                      {sftpWith(map[string]any{"port": 0}), "it must be a whole number from 1 to 65535"},
		"port wraps":                  {sftpWith(map[string]any{"port": 65558}), "it must be"},
		"port a string":               {sftpWith(map[string]any{"port": "22"}), "port must be"},
		"no host key":                 {sftpWith(map[string]any{"host_key": nil}), "scan-key"},
		"host key of no kind":         {sftpWith(map[string]any{"host_key": "hello"}), "host_key, line 1"},
		"host key of known_hosts":     {sftpWith(map[string]any{"host_key": aHostKey + "\nsrvtrf " + aHostKey}), "host_key, line 2"},
		"too many host keys":          {sftpWith(map[string]any{"host_key": strings.Repeat(aHostKey+"\n", 17)}), "more than 16"},
		"label":                       {sftpWith(map[string]any{"worker_label": "Lab"}), "worker_label is"},
		"connections 0":               {sftpWith(map[string]any{"max_connections": 0}), "from 1 to 32"},
		"connections 33":              {sftpWith(map[string]any{"max_connections": 33}), "from 1 to 32"},
		"threshold below 0":           {sftpWith(map[string]any{"zip_threshold_files": -1}), "it must be a whole number from 0"},
		"threshold a fraction":        {sftpWith(map[string]any{"zip_threshold_avg_size_bytes": 1.5}), "zip_threshold_avg_size_bytes must be"},
		"agent elsewhere":             {sftpWith(map[string]any{"agent_path": "ketter"}), "agent_path is not absolute"},
		"send_agent 1":                {sftpWith(map[string]any{"send_agent": 1}), "true or false"},
		"unknown field":               {sftpWith(map[string]any{"id": 7}), `no field "id"`},
		"local with a host":           {sftpWith(map[string]any{"kind": "local"}), "a portal of kind local has none"},
		"local with a credential":     {encode(map[string]any{"name": "a", "kind": "local", "root_path": "/", "credential": map[string]any{"agent": true}}), "kind local"},
		"local that sends":            {encode(map[string]any{"name": "a", "kind": "local", "root_path": "/", "send_agent": true}), "kind local"},
		"credential a string":         {sftpWith(credential(`"hunter2"`)), "must be an object"},
		"empty credential":            {sftpWith(credential(`{}`)), "must be one of"},
		"two credentials":             {sftpWith(credential(`{"password":"hunter2","agent":true}`)), "must be one of"},
		"credential field twice":      {sftpWith(nil)[:1] + `"credential":{"password":"hunter2","password":"hunter2"},` + sftpWith(nil)[1:], "twice"},
		"unknown credential":          {sftpWith(credential(`{"token":"hunter2"}`)), `no field "token"`},
		"password a number":           {sftpWith(credential(`{"password":7}`)), "must be a string"},
		"agent false":                 {sftpWith(credential(`{"agent":false}`)), "must be one of"},
		"passphrase alone":            {sftpWith(credential(`{"agent":true,"passphrase":"hunter2"}`)), "passphrase"},
		"no private key":              {sftpWith(credential(`{"private_key":"hunter2"}`)), "as ssh-keygen writes it"},
		"a large key":                 {sftpWith(credential(`{"private_key":"` + strings.Repeat("hunter2", 10<<10) + `"}`)), "larger than 65536"},
		"a large password":            {sftpWith(credential(`{"password":"` + strings.Repeat("hunter2", 1<<10) + `"}`)), "larger than 4096"},
		"a locked key":                {sftpWith(credential(`{"private_key":` + locked + `}`)), "there is no passphrase"},
		"another passphrase":          {sftpWith(credential(`{"private_key":` + locked + `,"passphrase":"hunter3"}`)), "not the one"},
		"a needless passphrase":       {sftpWith(credential(`{"private_key":` + encode(privateKey("")) + `,"passphrase":"hunter2"}`)), "the private key has none"},
		"a costly key":                {sftpWith(credential(`{"private_key":` + encode(costlyKey()) + `,"passphrase":"hunter2"}`)), "takes too long"},
		"not JSON":                    {`{"credential":{"password":hunter2}}`, "not valid JSON"},
	} {
		p := f.send("POST", "/portals", test.body).isProblem(t, 400, "invalid_request")
		if !strings.Contains(p.Detail, test.says) {
			t.Errorf("%s: %s", name, p.Detail)
		}
		if strings.Contains(p.Detail+p.Hint, "hunter") {
			t.Errorf("%s: the answer quotes the secret: %s", name, p.Detail)
		}
	}
	if n := f.count("portals"); n != 0 || len(f.vault.sealed) != 0 {
		t.Errorf("%d portals, %d sealed", n, len(f.vault.sealed))
	}
	f.send("POST", "/portals", sftpWith(nil), "Content-Type", "text/plain").isProblem(t, 415, "unsupported_media_type")
	f.send("POST", "/portals?x=1", sftpWith(nil)).isProblem(t, 400, "invalid_request")
}

// costlyKey is a locked key that asks for more rounds than anybody waits for.
func costlyKey() string {
	block, _ := pem.Decode([]byte(privateKey("hunter2")))
	const salt, rounds = "\x00\x00\x00\x10", "\x00\x00\x00\x10"
	at := strings.Index(string(block.Bytes), salt) + 4 + 16
	if string(block.Bytes[at:at+4]) != rounds {
		panic("the key is not what this test thinks")
	}
	block.Bytes[at] = 0xff
	return string(pem.EncodeToMemory(block))
}
