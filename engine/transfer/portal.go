package transfer

// PortalKind says how a portal's folder is reached.
type PortalKind string

// The kinds of portal.
const (
	LocalPortal PortalKind = "local" // a path of the worker that runs the job
	SFTPPortal  PortalKind = "sftp"  // over SSH, save for workers that see it as a local path
)

// CredentialKind says with what a portal's user proves himself, and nothing more.
type CredentialKind string

// The kinds of credential.
const (
	NoCredential       CredentialKind = "none"
	KeyCredential      CredentialKind = "key"
	KeyWithPassphrase  CredentialKind = "key_with_passphrase"
	PasswordCredential CredentialKind = "password"
	AgentCredential    CredentialKind = "agent" // the worker's SSH agent
)
