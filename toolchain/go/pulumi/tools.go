//go:build tools

// Package tools keeps the program's module in go.mod when `go mod tidy` runs.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
