// A service that says which version and pod answered. VERSION and DELAY (1.5s) are in its environment. With a URL as
// argument: a client that says the status of the answer.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		response, err := http.Get(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(response.StatusCode)
		return
	}
	pod, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	delay := time.Duration(0)
	if text := os.Getenv("DELAY"); text != "" {
		if delay, err = time.ParseDuration(text); err != nil {
			log.Fatal(err)
		}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		fmt.Fprintf(w, "%s %s\n", os.Getenv("VERSION"), pod)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
