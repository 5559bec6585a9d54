// SPDX-License-Identifier: GPL-3.0-or-later

// opm serves a file-based catalog: the only commands of operator-registry's opm that need no container registry.
package main

import (
	"os"

	"github.com/operator-framework/operator-registry/cmd/opm/serve"
	"github.com/operator-framework/operator-registry/cmd/opm/validate"
	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "opm", SilenceUsage: true}
	root.AddCommand(serve.NewCmd(), validate.NewCmd())
	if root.Execute() != nil {
		os.Exit(1)
	}
}
