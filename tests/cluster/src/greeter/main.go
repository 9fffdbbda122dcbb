// A service that says which version and pod answered. VERSION and DELAY (1.5s) are in its environment.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
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
