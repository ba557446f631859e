package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// completionDeadline is what a person waits for at the Tab key.
const completionDeadline = time.Second

// isPortalName is the contract's rule.
var isPortalName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`).MatchString

type completion = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective)

// completeJobs offers the latest jobs of these statuses, or of any. Without an API it offers nothing, and says nothing.
func completeJobs(options *jobsOptions, statuses ...transfer.Status) completion {
	return func(cmd *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		askToComplete(cmd, options.api, func(ctx context.Context, asked *client.Client) error {
			page, err := asked.Jobs(ctx, client.ListJobsParams{Limit: new(100)})
			for _, job := range page.Jobs {
				id := strconv.FormatInt(job.ID, 10)
				if (len(statuses) == 0 || slices.Contains(statuses, job.Status)) && !slices.Contains(args, id) {
					about := fmt.Sprintf("%s, %s %s", job.Status, job.Mode, placeText(job.SourcePortal, job.SourcePath))
					found = append(found, cobra.CompletionWithDesc(id, printable(about)))
				}
			}
			return err
		})
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completePortals offers the portals' names, each with a suffix.
func completePortals(api *string, suffix string, directive cobra.ShellCompDirective) completion {
	return func(cmd *cobra.Command, _ []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		askToComplete(cmd, *api, func(ctx context.Context, asked *client.Client) error {
			portals, err := asked.Portals(ctx)
			for _, p := range portals {
				if !isPortalName(p.Name) { // shells take what is completed as it is: $(…) would be run
					continue
				}
				found = append(found, cobra.CompletionWithDesc(p.Name+suffix, printable(placeOf(p))))
			}
			return err
		})
		return found, directive
	}
}

// completeOnePortal is for a command that takes one portal.
func completeOnePortal(options *portalOptions) completion {
	offer := completePortals(&options.api, "", cobra.ShellCompDirectiveNoFileComp)
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(cmd, args, typed)
	}
}

func askToComplete(cmd *cobra.Command, api string, ask func(context.Context, *client.Client) error) {
	asked, err := newClient(api)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionDeadline)
	defer cancel()
	if err := ask(ctx, asked); err != nil {
		cobra.CompDebugln(err.Error(), false)
	}
}

// completeJobFlags offers values for those of the flags that the command has.
func completeJobFlags(cmd *cobra.Command, options *jobsOptions) {
	sides := completePortals(&options.api, ":", cobra.ShellCompDirectiveNoSpace) // beside the files that shells offer
	for name, values := range map[string]completion{
		"mode":     oneOf(transfer.Copy, transfer.Move),
		"status":   oneOf(transfer.Statuses()...),
		"strategy": oneOf("auto", "direct", "zip-first"),
		"verify":   oneOf(transfer.Checksum, transfer.Size, transfer.None),
		"priority": oneOf("1", "2", "3", "4"),
		"code":     oneOf(slices.Sorted(slices.Values(failure.Codes()))...),
		"portal":   completePortals(&options.api, "", cobra.ShellCompDirectiveNoFileComp),
		"from":     sides, "to": sides,
	} {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, values) // it fails for a flag that isn't there alone
		}
	}
}

func oneOf[T ~string](values ...T) completion {
	return cobra.FixedCompletions(words(values), cobra.ShellCompDirectiveNoFileComp)
}
