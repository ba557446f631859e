package shelltools

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/tree"
)

// check refuses what no tool can make: names that are none (EINVAL), names that lead through what isn't a folder
// (ENOTDIR), names that are made twice (EEXIST). It does so before anything is sent.
func check(items []endpoint.Item) error {
	types := make(map[string]endpoint.Type, len(items))
	for i, item := range items {
		if !tree.Local(item.Path) {
			return &endpoint.BulkError{Index: i, Op: op(item), Err: syscall.EINVAL}
		}
		if _, twice := types[item.Path]; twice {
			return &endpoint.BulkError{Index: i, Op: op(item), Err: syscall.EEXIST}
		}
		types[item.Path] = item.Type
	}
	for i, item := range items {
		for folder := above(item.Path); folder != ""; folder = above(folder) {
			if t, made := types[folder]; made && t != endpoint.Folder {
				return &endpoint.BulkError{Index: i, Op: op(item), Err: syscall.ENOTDIR}
			}
		}
	}
	return nil
}

// carried refuses, with errors.ErrUnsupported, what neither tar nor zip brings.
func carried(item endpoint.Item) error {
	target := item.Target
	switch {
	case item.Type == endpoint.Other:
		return unsupported("this kind of file")
	case len(item.Xattrs) > 0:
		return unsupported("attributes")
	case item.Type == endpoint.Symlink && (target == "" || strings.IndexByte(target, 0) >= 0):
		return unsupported("this target")
	}
	return nil
}

func unsupported(what string) error {
	return fmt.Errorf("the far host's tool can't bring %s: %w", what, errors.ErrUnsupported)
}

// op is what making item is called in an error.
func op(item endpoint.Item) string {
	switch item.Type {
	case endpoint.Folder:
		return "make folder"
	case endpoint.Symlink:
		return "make link"
	default:
		return "create"
	}
}

func above(path string) string {
	folder, _ := tree.Split(path)
	return folder
}

// ways lists the folders that must be there for items, outermost first, Folder items among them.
func ways(items []endpoint.Item) []string {
	known := map[string]bool{"": true}
	folders := []string{}
	var add func(folder string)
	add = func(folder string) {
		if known[folder] {
			return
		}
		known[folder] = true
		add(above(folder))
		folders = append(folders, folder)
	}
	for _, item := range items {
		add(above(item.Path))
		if item.Type == endpoint.Folder {
			add(item.Path)
		}
	}
	return folders
}

// mode is what item is to have, exactly: tools are told to heed no umask.
func (h *host) mode(item endpoint.Item) uint32 {
	switch {
	case item.SetMode:
		return item.Mode & 0o7777
	case item.Type == endpoint.Folder:
		return item.Mode&0o777&^h.tools.umask | 0o700
	default:
		return item.Mode&0o777&^h.tools.umask | 0o600
	}
}

// parted is items, those of type Folder apart.
func parted(items []endpoint.Item) (others, folders []endpoint.Item) {
	for _, item := range items {
		if item.Type == endpoint.Folder {
			folders = append(folders, item)
		} else {
			others = append(others, item)
		}
	}
	return others, folders
}
