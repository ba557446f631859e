package remote

import (
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxRounds is what a key's passphrase may cost to try, in bcrypt's rounds: ssh-keygen makes 24 of them, -a asks for more.
const maxRounds = 512

// rounds are those of a locked OpenSSH key (PROTOCOL.key); 0 of any other, which take no time.
func rounds(key []byte) uint32 {
	const magic = "openssh-key-v1\x00"
	block, _ := pem.Decode(key)
	if block == nil || !strings.HasPrefix(string(block.Bytes), magic) {
		return 0
	}
	var header struct {
		Cipher, KDF, Options string
		Rest                 []byte `ssh:"rest"`
	}
	var options struct {
		Salt   string
		Rounds uint32
	}
	if ssh.Unmarshal(block.Bytes[len(magic):], &header) != nil || ssh.Unmarshal([]byte(header.Options), &options) != nil {
		return 0
	}
	return options.Rounds
}
