#!/usr/bin/python3
"""The example of deploy/examples in a real cluster, and a real Prometheus that scrapes it.
usage: example_test.py FOLDER     with the programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import yaml

import session
from session import kubectl, run, script
from waiting import wait_for

PROGRAMS = None
PROMETHEUS = os.path.join(session.ROOT, "build", "tools", "usr", "bin", "prometheus")
SCRAPE = os.path.join(session.ROOT, "deploy", "prometheus", "scrape.yaml")
PORT = 9317


class Prometheus:
    """Debian's, on the node."""

    def __init__(self, jobs):
        self.folder = tempfile.TemporaryDirectory()
        config = os.path.join(self.folder.name, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            yaml.safe_dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}, file)
        self.process = subprocess.Popen(
            [os.path.join(session.HERE, "node"), "env", "-C", self.folder.name, PROMETHEUS, "--config.file=" + config,
             "--storage.tsdb.path=" + self.folder.name, f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=warn"],
            start_new_session=True)
        wait_for("Prometheus", lambda: self.ask("/-/ready") is not None)

    def ask(self, path):
        done = run(os.path.join(session.HERE, "node"), "curl", "-sf", "-m", "5", f"http://127.0.0.1:{PORT}{path}", check=False)
        return done.stdout if done.returncode == 0 else None

    def query(self, text):
        """[(labels, value)]"""
        answer = json.loads(self.ask("/api/v1/query?query=" + urllib.parse.quote(text)))
        return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]

    def targets(self):
        return json.loads(self.ask("/api/v1/targets?state=active"))["data"]["activeTargets"]

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)  # the script and what it runs on the node
        self.process.wait()
        wait_for("end of Prometheus", lambda: self.ask("/-/healthy") is None)
        self.folder.cleanup()


def discovered(pods):
    """What kubernetes_sd_configs with the role pod makes of these, as static_configs: Debian's Prometheus is built without
    that discovery. A target for each port of each container, and one for each container without ports."""
    targets = []
    for pod in pods:
        meta = pod["metadata"]
        labels = {"__meta_kubernetes_namespace": meta["namespace"], "__meta_kubernetes_pod_name": meta["name"],
                  "__meta_kubernetes_pod_phase": pod["status"]["phase"],
                  "__meta_kubernetes_pod_node_name": pod["spec"]["nodeName"]}
        for kind in ("labels", "annotations"):
            for name, value in meta.get(kind, {}).items():
                safe = "".join(each if each.isalnum() else "_" for each in name)
                labels[f"__meta_kubernetes_pod_{kind[:-1]}_{safe}"] = value
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or [{}]:
                address = pod["status"]["podIP"]
                if port:
                    address += f":{port['containerPort']}"
                targets.append({"targets": [address], "labels": {
                    **labels, "__meta_kubernetes_pod_container_port_name": port.get("name", "")}})
    return targets


class ExampleTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(session.uninstall)
        session.install(PROGRAMS)
        cls.addClassCleanup(session.uninstall_example)
        session.install_example()

    def test_the_same_policies_have_the_same_outcomes_as_on_one_host(self):
        agent = session.agents()[0]
        prometheus = Prometheus([{"job_name": "fairlead", "static_configs": [
            {"targets": [agent["status"]["podIP"] + ":15020"]}]}])
        self.addCleanup(prometheus.stop)
        done = run(os.path.join(session.EXAMPLE, "kubernetes", "play"), check=False, seconds=400,
                   env=session.user_environment(PROGRAMS))
        print(done.stdout, file=sys.stderr)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"PASS  8 steps, \d+ checks, 0 failed")

        query = ('sum(istio_requests_total{destination_app="greeter-service", reporter="source"}) '
                 'by (response_code, response_flags)')
        rows = wait_for("rows", lambda: found if len(found := prometheus.query(query)) >= 4 else None, 20)
        self.assertLessEqual({("200", "-"), ("503", "-"), ("503", "UO"), ("504", "UT")},
                             {(labels["response_code"], labels["response_flags"]) for labels, _ in rows})
        names = {(labels["source_workload"], labels["source_workload_namespace"], labels["destination_workload"],
                  labels["destination_version"]) for labels, _ in prometheus.query("istio_requests_total")
                 if labels["reporter"] == "source"}
        for version in ("v1", "v2", "v3"):
            self.assertIn(("helloweb", "default", "greeter-" + version, version), names)
        callers = {labels["source_pod"] for labels, _ in prometheus.query(
            'fairlead_pod_requests_total{source_pod=~"helloweb-.*"}')}
        pods = json.loads(kubectl("-n", "default", "get", "pods", "-l", "app=helloweb", "-o", "json"))["items"]
        self.assertEqual(callers, {pod["metadata"]["name"] for pod in pods})

    def test_the_shipped_scrape_jobs_find_the_agent_and_nothing_else(self):
        pods = json.loads(kubectl("get", "pods", "-A", "-o", "json"))["items"]
        found = discovered([pod for pod in pods if pod["status"].get("podIP")])
        with open(SCRAPE, encoding="utf-8") as file:
            jobs = yaml.safe_load(file)["scrape_configs"]
        for job in jobs:
            chosen = found
            for discovery in job.pop("kubernetes_sd_configs"):
                self.assertEqual(discovery["role"], "pod")
                namespaces = discovery.get("namespaces", {}).get("names")
                chosen = [each for each in chosen
                          if not namespaces or each["labels"]["__meta_kubernetes_namespace"] in namespaces]
                for selector in discovery.get("selectors", []):
                    name, _, value = selector["label"].partition("=")
                    chosen = [each for each in chosen if each["labels"].get("__meta_kubernetes_pod_label_" + name) == value]
            job["static_configs"] = chosen
        prometheus = Prometheus(jobs)
        self.addCleanup(prometheus.stop)
        agent = session.agents()[0]
        url = f"http://{agent['status']['podIP']}:15020/metrics"

        def up():
            targets = prometheus.targets()
            return targets if targets and all(each["health"] == "up" for each in targets) else None
        targets = wait_for("targets that are up", up)
        self.assertEqual(sorted((each["labels"]["job"], each["scrapeUrl"]) for each in targets),
                         [("fairlead", url), ("kubernetes-pods", url)])
        for target in targets:
            self.assertEqual(target["labels"]["app"], "fairlead")
            self.assertEqual(target["labels"]["pod"], agent["metadata"]["name"])
            self.assertEqual(target["labels"]["node"], agent["spec"]["nodeName"])


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
