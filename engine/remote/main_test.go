package remote_test

import (
	"testing"

	"github.com/ketter/ketter/infra/testnet"
)

func TestMain(m *testing.M) { testnet.Main(m) }
