// Command pod is what runs in the pods of the lab: an image of nothing else can be made of it.
//
//	pod                  waits to be ended, as the container that holds a pod's network does
//	pod serve ADDRESS    answers every request with the name of its host
//	pod fetch URL        prints what a server answers, and fails if it answers none or another
//	                     status than 200
//	pod crash            ends with status 1 at once
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	verb, word := "", ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	if len(os.Args) > 2 {
		word = os.Args[2]
	}
	switch verb {
	case "serve":
		serve(word)
	case "fetch":
		fetch(word)
	case "crash":
		fmt.Fprintln(os.Stderr, "crashing, as I was told")
		os.Exit(1)
	default:
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
		<-ended
	}
}

func serve(address string) {
	name, _ := os.Hostname()
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, name)
	})
	fmt.Println("serving", address)
	fmt.Fprintln(os.Stderr, http.ListenAndServe(address, nil))
	os.Exit(1)
}

func fetch(url string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(os.Stdout, answer.Body)
	if answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer.Status)
		os.Exit(1)
	}
}
