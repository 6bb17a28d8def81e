//go:build tools

// Package tools pins the programs of a sigstore of one's own, in which signing without keys is tried.
package tools

import (
	_ "github.com/sigstore/fulcio"
	_ "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix"
)
