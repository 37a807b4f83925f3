//go:build tools

// Package tools keeps the module whose resource definitions are installed in go.mod when
// `go mod tidy` runs.
package tools

import _ "sigs.k8s.io/lws/api/leaderworkerset/v1"
