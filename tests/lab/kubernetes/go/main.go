// Command kubernetes is a whole Kubernetes for tests: each program under its own name.
//
// The name that it is called by, or its first argument, chooses the program.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	appcontroller "github.com/argoproj/argo-cd/v2/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v2/cmd/argocd-applicationset-controller/commands"
	cmpserver "github.com/argoproj/argo-cd/v2/cmd/argocd-cmp-server/commands"
	dex "github.com/argoproj/argo-cd/v2/cmd/argocd-dex/commands"
	gitaskpass "github.com/argoproj/argo-cd/v2/cmd/argocd-git-ask-pass/commands"
	notification "github.com/argoproj/argo-cd/v2/cmd/argocd-notification/commands"
	reposerver "github.com/argoproj/argo-cd/v2/cmd/argocd-repo-server/commands"
	argoserver "github.com/argoproj/argo-cd/v2/cmd/argocd-server/commands"
	argocli "github.com/argoproj/argo-cd/v2/cmd/argocd/commands"
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

// Argo CD's are one program under many names in its own image too.
var others = map[string]func() error{
	"redis-server":                     runRedis,
	"kwok":                             runKwok,
	"argocd":                           func() error { return argocli.NewCommand().Execute() },
	"argocd-applicationset-controller": func() error { return applicationset.NewCommand().Execute() },
	"argocd-cmp-server":                func() error { return cmpserver.NewCommand().Execute() },
	"argocd-dex":                       func() error { return dex.NewCommand().Execute() },
	"argocd-git-ask-pass":              func() error { return gitaskpass.NewCommand().Execute() },
	"argocd-notifications":             func() error { return notification.NewCommand().Execute() },
	"argocd-server":                    func() error { return argoserver.NewCommand().Execute() },
	"argocd-application-controller":    func() error { return appcontroller.NewCommand().Execute() },
	"argocd-repo-server":               func() error { return reposerver.NewCommand().Execute() },
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

// runRedis is a stand-in: miniredis, on which Argo CD's own tests stand, with Redis' port and two
// words of its command line.
func runRedis() error {
	redis := miniredis.NewMiniRedis()
	words := strings.Fields(strings.Join(os.Args[1:], " "))
	for place, word := range words {
		if word == "--requirepass" && place+1 < len(words) {
			redis.RequireAuth(words[place+1])
		}
	}
	if err := redis.StartAddr(":6379"); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
	return nil
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
