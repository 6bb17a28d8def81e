//go:build tools

// Package tools names the program that is built, so that go.mod pins it and go.sum its contents.
package tools

import _ "github.com/opencontainers/distribution-spec/conformance"
