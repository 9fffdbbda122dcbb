// istiogen translates Istio YAML into Envoy resources with Istio's own code (istiod's discovery server in-process).
// stdin: JSON list of {id, yaml, namespace, labels, mesh}; stdout: one JSON object per line {id, error, warnings, listeners, routes, clusters, endpoints}
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/util"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
)

type in struct {
	ID, Yaml, Namespace, Mesh, Locality string
	Labels                              map[string]string
	Validate                            bool
}
type out struct {
	ID        string            `json:"id"`
	Error     string            `json:"error,omitempty"`
	Invalid   []string          `json:"invalid,omitempty"`
	Warnings  []string          `json:"warnings,omitempty"`
	Listeners []json.RawMessage `json:"listeners"`
	Routes    []json.RawMessage `json:"routes"`
	Clusters  []json.RawMessage `json:"clusters"`
	Endpoints []json.RawMessage `json:"endpoints"`
}

func conv[T proto.Message](l []T) (r []json.RawMessage) {
	for _, m := range l {
		j, err := protojson.Marshal(m)
		if err != nil {
			panic(err)
		}
		r = append(r, j)
	}
	return
}

func translate(c in) (o out) {
	o.ID = c.ID
	// the admission webhook's verdict, document by document
	cfgs, _, err := crd.ParseInputs(c.Yaml)
	if err != nil {
		if m := err.Error(); strings.Contains(m, "configuration is invalid") { // ParseInputs validates as the webhook does
			o.Invalid = []string{m}
		} else {
			o.Error = "parse: " + m
		}
		return
	}
	for i := range cfgs {
		cfgs[i].Domain = "cluster.local" // as the kube config store does; short names need it
		if cfgs[i].Namespace == "" {
			cfgs[i].Namespace = "default"
		}
		if cfgs[i].CreationTimestamp.IsZero() { // document order stands for age
			cfgs[i].CreationTimestamp = time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
		}
	}
	for _, cfg := range cfgs {
		s, ok := collections.Pilot.FindByGroupVersionAliasesKind(cfg.GroupVersionKind)
		if !ok {
			continue
		}
		w, err := s.ValidateConfig(cfg)
		if err != nil {
			o.Invalid = append(o.Invalid, fmt.Sprintf("%s %s: %v", cfg.GroupVersionKind.Kind, cfg.Name, err))
		}
		if w != nil {
			o.Warnings = append(o.Warnings, fmt.Sprintf("%s %s: %v", cfg.GroupVersionKind.Kind, cfg.Name, w))
		}
	}
	if c.Validate || len(o.Invalid) > 0 {
		return
	}
	err = test.Wrap(func(t test.Failer) {
		opt := xds.FakeOptions{Configs: cfgs}
		if c.Mesh != "" {
			m, err := mesh.ApplyMeshConfigDefaults(c.Mesh)
			if err != nil {
				t.Fatal(err)
			}
			opt.MeshConfig = m
		}
		s := xds.NewFakeDiscoveryServer(t, opt)
		ns := c.Namespace
		if ns == "" {
			ns = "default"
		}
		p := s.SetupProxy(&model.Proxy{ConfigNamespace: ns, Labels: c.Labels, Locality: util.ConvertLocality(c.Locality), Metadata: &model.NodeMetadata{Namespace: ns, Labels: c.Labels}})
		o.Listeners = conv(s.Listeners(p))
		o.Routes = conv(s.Routes(p))
		o.Clusters = conv(s.Clusters(p))
		o.Endpoints = conv(s.Endpoints(p))
	})
	if err != nil {
		o.Error = err.Error()
	}
	return
}

func main() {
	flag.Parse()
	stdout := os.Stdout
	os.Stdout = os.Stderr // istio logs go to stderr
	lo := log.DefaultOptions()
	lo.SetDefaultOutputLevel("all", log.ErrorLevel)
	_ = log.Configure(lo)
	var l []in
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, c := range l {
		j, err := json.Marshal(translate(c))
		if err != nil {
			panic(err)
		}
		stdout.Write(append(j, '\n'))
	}
}
