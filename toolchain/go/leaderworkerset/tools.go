//go:build tools

// Package tools keeps the module whose controller is built in go.mod when `go mod tidy` runs.
package tools

import _ "sigs.k8s.io/lws/cmd"
