// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openshift/library-go/pkg/controller/controllercmd"
	"github.com/openshift/library-go/pkg/operator/events"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	ocmfeature "open-cluster-management.io/api/feature"
	"open-cluster-management.io/ocm/pkg/common/options"
	"open-cluster-management.io/ocm/pkg/features"
	registration "open-cluster-management.io/ocm/pkg/registration/spoke"
	work "open-cluster-management.io/ocm/pkg/work/spoke"
)

// fleet is the agents of many managed clusters in one process, all against one spoke API server; each has its own namespace
// there for its credentials of the hub.
type fleet struct {
	kubeconfig, bootstrap, folder, prefix string
	from, count                           int
	every                                 time.Duration
	work                                  bool
}

func newFleet() *cobra.Command {
	var f fleet
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Run OCM's own registration (and work) agents of many managed clusters",
		RunE:  func(*cobra.Command, []string) error { return f.run() },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "the spoke API server's kubeconfig")
	flags.StringVar(&f.bootstrap, "bootstrap-kubeconfig", "", "the hub's bootstrap kubeconfig")
	flags.StringVar(&f.folder, "dir", "", "where the credentials of the hub are kept")
	flags.StringVar(&f.prefix, "prefix", "facility-", "how the clusters' names begin; a number of three digits follows")
	flags.IntVar(&f.from, "from", 1, "the first cluster's number")
	flags.IntVar(&f.count, "count", 10, "how many clusters")
	flags.DurationVar(&f.every, "every", 100*time.Millisecond, "the pause between two starts")
	flags.BoolVar(&f.work, "work", false, "run the work agents, too")
	return cmd
}

func (f *fleet) run() error {
	gates := features.SpokeMutableFeatureGate
	if err := gates.Add(ocmfeature.DefaultSpokeRegistrationFeatureGates); err != nil {
		return err
	}
	if err := gates.Add(ocmfeature.DefaultSpokeWorkFeatureGates); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	for i := f.from; i < f.from+f.count; i++ {
		go f.keep(ctx, config, fmt.Sprintf("%s%03d", f.prefix, i))
		time.Sleep(f.every)
	}
	<-ctx.Done()
	return nil
}

// keep starts an agent over: it ends when it wants to, as its pod does.
func (f *fleet) keep(ctx context.Context, config *rest.Config, name string) {
	for ctx.Err() == nil {
		if err := f.agent(ctx, config, name); err != nil {
			klog.ErrorS(err, "agent ended", "cluster", name)
		}
		time.Sleep(2 * time.Second)
	}
}

func (f *fleet) agent(ctx context.Context, config *rest.Config, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	folder := filepath.Join(f.folder, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	namespace := "agent-" + name
	if err := ensureNamespace(ctx, config, namespace); err != nil {
		return err
	}
	common := options.NewAgentOptions()
	common.ComponentNamespace, common.SpokeClusterName, common.AgentID, common.HubKubeconfigDir = namespace, name, namespace, folder
	opts := registration.NewSpokeAgentOptions()
	opts.BootstrapKubeconfig = f.bootstrap
	controller := &controllercmd.ControllerContext{KubeConfig: config, EventRecorder: events.NewLoggingEventRecorder(name)}
	agent := registration.NewSpokeAgentConfig(common, opts, cancel)
	ended := make(chan error, 2)
	go func() { ended <- agent.RunSpokeAgent(ctx, controller) }()
	if f.work {
		go func() {
			if err := wait.PollUntilContextCancel(ctx, time.Second, true, agent.IsHubKubeConfigValid); err != nil {
				ended <- err
				return
			}
			w := work.NewWorkloadAgentOptions()
			w.WorkloadSourceConfig = filepath.Join(folder, "kubeconfig")
			ended <- work.NewWorkAgentConfig(common, w).RunWorkloadAgent(ctx, controller)
		}()
	}
	return <-ended
}

func ensureNamespace(ctx context.Context, config *rest.Config, name string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err = client.CoreV1().Namespaces().Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
