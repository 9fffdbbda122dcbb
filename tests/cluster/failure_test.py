#!/usr/bin/python3
"""Upgrades, and what happens when a part of the node fails.
usage: failure_test.py FOLDER     with the three programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster,
and FAIRLEAD_API_SERVER_AWAY, for how many seconds the API server is away (20)"""
import glob
import json
import os
import re
import time

import shop
from shop import CAPTURED, NAMESPACE, PASSED, SHOP, kubectl, pod, pod_spec, script, wait_for

API_SERVER_AWAY = int(os.environ.get("FAIRLEAD_API_SERVER_AWAY", "20"))


def statuses():
    return {each["name"]: each for each in shop.fairlead_pods()[0]["status"]["containerStatuses"]}


class Failure(shop.Shop):

    def is_captured(self):
        return self.answer() == CAPTURED

    def captures_new_pods(self):
        name = "afterwards-" + str(time.monotonic_ns())
        return self.run_to_end(pod(name, pod_spec(shop.container(command=shop.curl()))), seconds=120)[0] == CAPTURED

    def wait_until_ready(self):
        wait_for("ready pod", lambda: all(each["ready"] for each in statuses().values()), 60)

    def test_no_connection_is_refused_when_the_proxy_is_killed(self):
        codes = self.under_load(lambda: os.kill(shop.fairlead_process("fairlead-proxy"), 9))
        answered = sum(int(count) for count in re.findall(r"Code 200 : (\d+)", " ".join(codes)))
        lost = sum(int(count) for count in re.findall(r"Code +-1 : (\d+)", " ".join(codes)))
        self.assertGreater(answered, 1000)
        self.assertLessEqual(lost, 8, "only what the proxy had in its hands")
        self.assertTrue(self.is_captured())

    def test_requests_go_on_when_the_agent_is_killed(self):
        self.assert_all_answered(self.under_load(lambda: os.kill(shop.fairlead_process("fairlead-agent"), 9)))
        self.wait_until_ready()
        self.assertTrue(self.is_captured())

    def test_requests_go_on_when_the_agent_runs_out_of_memory(self):
        before = statuses()
        agent = shop.fairlead_process("fairlead-agent")

        def use_up_memory():
            self.limit_memory(agent)
            shop.apply(*(shop.service(f"filler-{i}", {"app": "filler"}, [{"name": "http", "port": 80}],
                                      namespace="filler") for i in range(300)))
            wait_for("end of the agent", lambda: statuses()["agent"]["restartCount"] > before["agent"]["restartCount"])
        kubectl("create", "namespace", "filler")
        self.addCleanup(kubectl, "delete", "namespace", "filler", "--wait=false")
        self.assert_all_answered(self.under_load(use_up_memory, seconds=15))
        self.wait_until_ready()
        after = statuses()
        self.assertEqual(after["agent"]["lastState"]["terminated"]["reason"], "OOMKilled")
        self.assertEqual(after["proxy"]["restartCount"], before["proxy"]["restartCount"], "it goes on")
        self.assertTrue(self.is_captured())

    @staticmethod
    def limit_memory(process):
        """Hardly more than the cgroup of the process uses now."""
        with open(f"/proc/{process}/cgroup", encoding="utf-8") as file:
            paths = {controllers: path for _, controllers, path in
                     (line.strip().split(":", 2) for line in file)}
        if "memory" in paths:
            folder, usage, limit = "/sys/fs/cgroup/memory" + paths["memory"], "usage_in_bytes", "limit_in_bytes"
        else:
            folder, usage, limit = "/sys/fs/cgroup" + paths[""], "current", "max"
        with open(f"{folder}/memory.{usage}", encoding="utf-8") as file:
            now = int(file.read())
        with open(f"{folder}/memory.{limit}", "w", encoding="utf-8") as file:
            file.write(str(now + 200_000))

    def test_no_request_fails_during_a_rolling_update(self):
        def update():
            now = json.loads(kubectl("-n", NAMESPACE, "get", "daemonset", "fairlead", "-o", "json"))
            is_next = now["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":next")
            image = "localhost/fairlead:" + ("0.1.0" if is_next else "next")
            kubectl("-n", NAMESPACE, "set", "image", "daemonset/fairlead", "agent=" + image, "proxy=" + image)
            shop.wait_until_installed()
        self.assert_all_answered(self.under_load(update, seconds=12))
        wait_for("end of the old pod", lambda: len(shop.fairlead_pods()) == 1, 60)
        self.assertTrue(self.is_captured())

    def test_another_installation_on_the_node_is_refused(self):
        before = shop.fairlead_pods()[0]["metadata"]["uid"]
        self.addCleanup(kubectl, "-n", NAMESPACE, "delete", "daemonset", "other", "--wait")
        other = json.loads(kubectl("-n", NAMESPACE, "get", "daemonset", "fairlead", "-o", "json"))
        other["metadata"] = {"name": "other", "namespace": NAMESPACE}
        other["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
        arguments = other["spec"]["template"]["spec"]["containers"][0]["args"]
        arguments[arguments.index("--owner=$(POD_NAMESPACE)/fairlead")] = "--owner=$(POD_NAMESPACE)/other"
        kubectl("apply", "-f", "-", stdin=json.dumps(other))

        def said():
            return kubectl("-n", NAMESPACE, "logs", "-l", "app=other", "-c", "agent", "--tail=-1", check=False)
        wait_for("refusal", lambda: "this node is served by an agent of fairlead-system/fairlead" in said())
        self.assertEqual(shop.fairlead_pods()[0]["metadata"]["uid"], before)
        self.assertTrue(self.is_captured())

    def test_requests_go_on_while_the_container_runtime_is_killed_and_comes_back(self):
        before = {name: each["restartCount"] for name, each in statuses().items()}

        def fail():
            script("service", "kill", "containerd")
            time.sleep(1)  # nobody there: the time is what is tested
            script("service", "start", "containerd")
        self.assert_all_answered(self.under_load(fail))
        self.assertTrue(wait_for("exec", self.is_captured))
        self.assertEqual({name: each["restartCount"] for name, each in statuses().items()}, before)
        self.assertTrue(self.captures_new_pods())

    def test_policies_hold_while_the_api_server_is_away(self):
        """Requests are made from inside the network namespace: kubectl cannot."""
        process = shop.processes_of(shop.get("pod", self.client)["metadata"]["uid"], "sleep")[0]
        cgroup = shop.pod_cgroup(shop.get("pod", self.client)["metadata"]["uid"])
        address = shop.get("service", "greeter")["spec"]["clusterIP"]
        before = statuses()

        def ask():
            command = f'echo $$ > {cgroup}/cgroup.procs && exec nsenter -n -t {process} curl -s -m 10 -o /dev/null ' \
                      f'-w "%{{http_code}}" -H "Host: greeter:3000" http://{address}:3000/marked'
            return shop.run("/bin/bash", "-c", f"mkdir -p {cgroup}/visit && " +
                            command.replace(f"{cgroup}/cgroup.procs", f"{cgroup}/visit/cgroup.procs"), check=False)
        self.addCleanup(lambda: os.path.isdir(f"{cgroup}/visit") and os.rmdir(f"{cgroup}/visit"))
        self.assertEqual(ask(), CAPTURED)
        self.addCleanup(script, "service", "start", "kube-apiserver")
        script("service", "stop", "kube-apiserver")
        end = time.monotonic() + API_SERVER_AWAY
        asked = 0
        while time.monotonic() < end:
            self.assertEqual(ask(), CAPTURED)
            asked += 1
            time.sleep(0.2)  # a request now and then for as long as it is away
        script("service", "start", "kube-apiserver")
        wait_for("the API server", lambda: "ok" in kubectl("get", "--raw", "/readyz", check=False), 60)
        after = statuses()
        self.assertEqual({name: each["restartCount"] for name, each in after.items()},
                         {name: each["restartCount"] for name, each in before.items()})
        # What changed meanwhile is noticed: all watches go on.
        kubectl("label", "--overwrite", "namespace", SHOP, "fairlead.dev/mode=disabled")
        # Each watch goes on when its back-off is over; the next test makes pods.
        self.addCleanup(wait_for, "capture of new pods", self.captures_new_pods, 240)
        self.addCleanup(kubectl, "label", "--overwrite", "namespace", SHOP, "fairlead.dev/mode=enabled")
        # Not only by Fairlead: kube-proxy and kubelet come back by their own back-off, a minute or two after a long absence.
        wait_for("change in force", lambda: self.answer() == PASSED, 240)

    def test_uninstalling_leaves_nothing_and_fails_nothing(self):
        self.addCleanup(shop.install)
        self.assertRegex(self.sockets(), shop.LISTENER)
        self.assert_all_answered(self.under_load(shop.uninstall, seconds=12))
        self.assertEqual(self.answer(), PASSED)
        self.assertNotIn("fairlead", script("node", "ls", "/sys/fs/bpf"))
        self.assertEqual(glob.glob("/sys/fs/cgroup/unified/fairlead") + glob.glob("/sys/fs/cgroup/fairlead"), [])
        self.assertNotRegex(self.sockets(), shop.LISTENER)


if __name__ == "__main__":
    shop.main()
