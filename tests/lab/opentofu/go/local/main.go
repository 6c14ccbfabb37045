// The provider hashicorp/local 1.4.0: main.go of its own repository.
package main

import (
	"github.com/hashicorp/terraform-plugin-sdk/plugin"
	"github.com/terraform-providers/terraform-provider-local/local"
)

func main() {
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: local.Provider})
}
