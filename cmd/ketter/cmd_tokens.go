package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/tokens"
)

// tokensOptions are those of every command about tokens.
type tokensOptions struct {
	file string
	json bool
}

func newTokensCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "Say who may use the API: make tokens, list and revoke them",
		Long: `Tokens are names with a secret: who has one may use the API, and jobs and events bear its name. They stand, as hashes, in the file
that KETTER_API_TOKENS_FILE names; the API reads it again within a second of a change.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var options tokensOptions
	cmd.PersistentFlags().StringVar(&options.file, "file", "", "the tokens' file (KETTER_API_TOKENS_FILE)")
	cmd.PersistentFlags().BoolVar(&options.json, "json", false, "print JSON: docs/cli-json.md")
	cmd.AddCommand(newTokensCreateCommand(&options), newTokensListCommand(&options), newTokensRevokeCommand(&options))
	return cmd
}

func newTokensCreateCommand(options *tokensOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token",
		Long: `Makes a token and prints it, alone, on standard output: this once, for the file keeps nothing but its hash. The file is made if it
isn't there, for its owner alone; one that is there keeps its owner and mode. One name, one person or program: so it can be seen
who did what, and one can be revoked without the others.

` + tokensExitStatuses(),
		Example: `  1. For Ana, who gets it by a way that you trust:
     KETTER_API_TOKENS_FILE=/etc/ketter/tokens ketter tokens create ana
  2. For commands of this account, which read it from a file:
     (umask 077; ketter tokens create backup --file /etc/ketter/tokens > ~/.ketter-token)
     KETTER_API_TOKEN_FILE=~/.ketter-token ketter jobs cancel 12`,
		Args: oneToken,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensFile(options.file)
			if err != nil {
				return err
			}
			token, err := tokens.Create(cmd.Context(), path, args[0], time.Now())
			if err != nil {
				return tokensError(path, err)
			}
			if options.json {
				return printJSON(cmd.OutOrStdout(), map[string]string{"name": args[0], "token": token})
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "The token %s of %s, which is shown this once:\n", args[0], printable(path))
			if _, err = fmt.Fprintln(cmd.OutOrStdout(), token); err != nil { // nobody has seen it, nor ever will
				return errors.Join(err, tokens.Revoke(cmd.Context(), path, args[0]))
			}
			return nil
		},
	}
}

func newTokensListCommand(options *tokensOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tokens by name",
		Long:  "Lists the names of the tokens, and when each was made.\n\n" + tokensExitStatuses(),
		Example: `  1. Who may use the API?
     KETTER_API_TOKENS_FILE=/etc/ketter/tokens ketter tokens list`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := tokensFile(options.file)
			if err != nil {
				return err
			}
			list, err := tokens.Read(path)
			if err != nil {
				return tokensError(path, err)
			}
			if options.json {
				return printTokensJSON(cmd.OutOrStdout(), list)
			}
			return printTokens(cmd, list)
		},
	}
}

func printTokens(cmd *cobra.Command, list []tokens.Token) error {
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "There is no token.")
		return nil
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tMADE")
	for _, token := range list {
		fmt.Fprintf(table, "%s\t%s\n", token.Name, token.Created.UTC().Format(time.RFC3339))
	}
	return table.Flush()
}

func printTokensJSON(out io.Writer, list []tokens.Token) error {
	type told struct {
		Name    string    `json:"name"`
		Created time.Time `json:"created_at"`
	}
	all := make([]told, len(list)) // never nil: an empty list is [], not null
	for i, token := range list {
		all[i] = told{token.Name, token.Created.UTC()}
	}
	return printJSON(out, map[string]any{"tokens": all})
}

func newTokensRevokeCommand(options *tokensOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Revoke a token",
		Long: `Takes a token out of the file. The API lets nobody in with it any more within a second; live streams that are open go on to their end.
What was done with it keeps its name.

` + tokensExitStatuses(),
		Example: `  1. Ana has left:
     KETTER_API_TOKENS_FILE=/etc/ketter/tokens ketter tokens revoke ana`,
		Args: oneToken,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensFile(options.file)
			if err != nil {
				return err
			}
			if err := tokens.Revoke(cmd.Context(), path, args[0]); err != nil {
				return tokensError(path, err)
			}
			if options.json {
				return printJSON(cmd.OutOrStdout(), map[string]any{"name": args[0], "revoked": true})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The token %s is revoked.\n", args[0])
			return err
		},
	}
}

func oneToken(cmd *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(cmd, args); err != nil {
		return usageError(cmd, err)
	}
	return nil
}

// tokensFile is the one of the flag, else of the environment.
func tokensFile(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	c, err := loadConfig()
	if err != nil {
		return "", err
	}
	if c.APITokensFile == "" {
		return "", &failure.Error{
			Code: failure.InvalidRequest, Message: "There is no tokens' file: KETTER_API_TOKENS_FILE is not set",
			Hint: "Set it as it is set for the API, or say --file /etc/ketter/tokens.",
		}
	}
	return c.APITokensFile, nil
}

// tokensError says of which file an error is.
func tokensError(path string, err error) error {
	hint := "`ketter tokens list` shows what the file holds; `ketter tokens create NAME` makes it."
	switch {
	case errors.Is(err, tokens.ErrName):
		hint = "As ana, or backup-1."
	case errors.Is(err, tokens.ErrExists):
		hint = "Choose another name, or revoke that one first: `ketter tokens revoke NAME`."
	case errors.Is(err, tokens.ErrNone):
		hint = "`ketter tokens list` shows those there are."
	case errors.Is(err, fs.ErrPermission):
		hint = "Do this as who owns the file, or as root."
	}
	return &failure.Error{Code: failure.InvalidRequest, Message: fmt.Sprintf("The tokens' file %s: %v", path, err), Hint: hint, Err: err}
}

func tokensExitStatuses() string { return exitStatuses(failure.Internal, failure.InvalidRequest) }
