// Command timestamp-server is the timestamp authority of Sigstore with a new key at each start. Its
// own program also serves metrics at a port that cannot be chosen, on every address.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const (
	policy  = "1.3.6.1.4.1.57264.2"
	timeout = 10 * time.Second
)

func main() {
	host := flag.String("host", "127.0.0.1", "where to listen")
	port := flag.Int("port", 3004, "where to listen")
	flag.Parse()
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("default-policy-oid", policy)
	viper.Set("accepted-policy-oids", []string{policy})
	viper.Set("max-request-body-size", 1<<20)
	authority := server.NewRestAPIServer(*host, *port, []string{"http"}, false, timeout, timeout)
	if err := authority.Serve(); err != nil {
		log.Fatal(err)
	}
}
