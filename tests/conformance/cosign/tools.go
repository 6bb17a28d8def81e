//go:build tools

// Package tools pins the program that our signatures are compared with.
package tools

import _ "github.com/sigstore/cosign/v3/cmd/cosign"
