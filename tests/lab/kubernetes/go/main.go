// Command kubernetes is a whole Kubernetes for tests: each program under its own name.
//
// The name that it is called by, or its first argument, chooses the program.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	appcontroller "github.com/argoproj/argo-cd/v2/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v2/cmd/argocd-repo-server/commands"
	argoserver "github.com/argoproj/argo-cd/v2/cmd/argocd-server/commands"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// Kubernetes' own programs: their commands handle flags, logs and signals alike.
var daemons = map[string]func() *cobra.Command{
	"kube-apiserver":          func() *cobra.Command { return apiserver.NewAPIServerCommand() },
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
}

var others = map[string]func() error{
	"kwok":                          runKwok,
	"argocd-server":                 func() error { return argoserver.NewCommand().Execute() },
	"argocd-application-controller": func() error { return appcontroller.NewCommand().Execute() },
	"argocd-repo-server":            func() error { return reposerver.NewCommand().Execute() },
}

func main() {
	name := filepath.Base(os.Args[0])
	if !known(name) && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	if daemon, there := daemons[name]; there {
		os.Exit(cli.Run(daemon()))
	}
	other, there := others[name]
	if !there {
		fmt.Fprintf(os.Stderr, "no program %q; there are %s\n", name, strings.Join(names(), ", "))
		os.Exit(2)
	}
	// Kubernetes' libraries have put flags of theirs there, which cobra hands on to every command.
	pflag.CommandLine = pflag.NewFlagSet(name, pflag.ContinueOnError)
	if err := other(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func known(name string) bool {
	_, daemon := daemons[name]
	_, other := others[name]
	return daemon || other
}

func names() []string {
	var all []string
	for name := range daemons {
		all = append(all, name)
	}
	for name := range others {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

func runKwok() error {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsWhitelist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}
