#!/usr/bin/python3
"""README's section about Kubernetes, word for word, on a real cluster.
usage: readme_test.py FOLDER     with the programs; in the environment: FAIRLEAD_CLUSTER_STATE of a running cluster"""
import os
import re
import sys
import unittest

import session
from session import run, script
from waiting import wait_for

PROGRAMS = None


def commands():
    """Of the section's blocks. How an image is built is not kubectl's: deploy_test.py does what the Dockerfile does."""
    with open(os.path.join(session.ROOT, "README.md"), encoding="utf-8") as file:
        section = re.search(r"^## Kubernetes$(.*?)^## ", file.read(), re.M | re.S).group(1)
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith("docker build ")]


class ReadmeTest(unittest.TestCase):
    def test_its_commands_install_show_and_remove_fairlead(self):
        script("crds")
        script("images", PROGRAMS)
        self.addCleanup(session.uninstall)
        self.addCleanup(session.uninstall_example)
        said = {}
        for command in commands():
            print(command, file=sys.stderr)
            done = run("bash", "-c", command, check=False, seconds=400, env=session.user_environment(PROGRAMS))
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
            said[command.partition("#")[0].strip()] = done.stdout
        self.assertIn("0 failed", said["deploy/examples/kubernetes/play"])
        self.assertRegex(said["kubectl fairlead status"], r"fairlead-node +0\.1\.0 +\S+ +0\.1\.0 up +8 ")
        self.assertEqual(said["kubectl fairlead get workloads"].count(" redirected"), 8)
        self.assertIn("default/helloweb", said["kubectl fairlead describe service greeter-service"])
        self.assertGreater(len(said), 10)
        wait_for("end of the pods", lambda: not session.agents())
        self.assertNotIn("fairlead", script("node", "ls", "/sys/fs/bpf"))


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
