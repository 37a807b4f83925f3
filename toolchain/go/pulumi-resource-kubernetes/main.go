// Command pulumi-resource-kubernetes is Pulumi's Kubernetes provider. The main package that its
// module publishes embeds files which are generated before a release and are not part of the
// module; the two that they are made from are, and they are copied here before the build.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// The linker sets it.
var version string

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, mapping)
}
