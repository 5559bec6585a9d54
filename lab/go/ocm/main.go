// SPDX-License-Identifier: GPL-3.0-or-later

// ocm is Open Cluster Management in one binary. Its first argument is the name of one of upstream's programs, with or without the
// slash of its path in upstream's images, so that the Deployments which OCM's operators make run as they are:
// ocm registration controller ..., ocm /registration-operator agent ...
package main

import (
	goflag "flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"

	ocmfeature "open-cluster-management.io/api/feature"
	"open-cluster-management.io/ocm/pkg/cmd/hub"
	"open-cluster-management.io/ocm/pkg/cmd/spoke"
	"open-cluster-management.io/ocm/pkg/cmd/webhook"
	"open-cluster-management.io/ocm/pkg/features"
)

// programs holds makers, not commands: each adds its own feature gates and flags to what the process has once.
var programs = map[string]func() []*cobra.Command{
	"registration": func() []*cobra.Command {
		hubGates(ocmfeature.DefaultHubRegistrationFeatureGates)
		return []*cobra.Command{hub.NewRegistrationController(), spoke.NewRegistrationAgent(), webhook.NewRegistrationWebhook()}
	},
	"work": func() []*cobra.Command {
		hubGates(ocmfeature.DefaultHubWorkFeatureGates)
		return []*cobra.Command{hub.NewWorkController(), spoke.NewWorkAgent(), webhook.NewWorkWebhook()}
	},
	"placement": func() []*cobra.Command { return []*cobra.Command{hub.NewPlacementController()} },
	"addon":     func() []*cobra.Command { return []*cobra.Command{hub.NewAddonManager()} },
	"registration-operator": func() []*cobra.Command {
		return []*cobra.Command{hub.NewHubOperatorCmd(), spoke.NewKlusterletOperatorCmd(), spoke.NewKlusterletAgentCmd()}
	},
	"test": func() []*cobra.Command { return []*cobra.Command{newFleet()} }, // the lab's own, for tests and measurements
}

func hubGates(gates map[featuregate.Feature]featuregate.FeatureSpec) {
	utilruntime.Must(features.HubMutableFeatureGate.Add(gates))
	features.HubMutableFeatureGate.AddFlag(pflag.CommandLine)
}

func names() []string {
	var found []string
	for name := range programs {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

func main() {
	pflag.CommandLine.SetNormalizeFunc(utilflag.WordSepNormalizeFunc)
	pflag.CommandLine.AddGoFlagSet(goflag.CommandLine)
	logs.AddFlags(pflag.CommandLine)
	logs.InitLogs()
	defer logs.FlushLogs()

	var program string
	if len(os.Args) > 1 {
		program = strings.TrimPrefix(os.Args[1], "/")
	}
	commands, known := programs[program]
	if !known {
		fmt.Fprintf(os.Stderr, "ocm: expected one of %s as the first argument, saw %q\n", strings.Join(names(), ", "), program)
		os.Exit(2)
	}
	root := &cobra.Command{Use: program}
	root.AddCommand(commands()...)
	root.SetArgs(os.Args[2:])
	if root.Execute() != nil {
		os.Exit(1)
	}
}
