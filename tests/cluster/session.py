"""What tests of Fairlead in a cluster share: the scripts of this folder, kubectl, and Fairlead installed."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
CACHE = os.environ.get("FAIRLEAD_CLUSTER_CACHE",
                       os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "fairlead-cluster"))
STATE = os.environ.get("FAIRLEAD_CLUSTER_STATE", "/var/lib/fairlead-cluster")
NAMESPACE = "fairlead-system"
INSTALLATION = os.path.join(ROOT, "deploy", "kubernetes")
EXAMPLE = os.path.join(ROOT, "deploy", "examples")


def run(*command, stdin=None, check=True, seconds=180, env=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds, cwd=ROOT,
                          env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}{done.stdout}")
    return done


def script(name, *arguments, **options):
    return run(os.path.join(HERE, name), *arguments, **options).stdout


def kubectl(*arguments, **options):
    return script("kubectl", *arguments, **options)


def user_environment(programs):
    """Of somebody at a shell: kubectl and Fairlead's programs in PATH, the cluster in KUBECONFIG."""
    return {**os.environ, "KUBECONFIG": os.path.join(STATE, "kubeconfig"), "KUBECACHEDIR": os.path.join(STATE, "kubectl"),
            "PATH": ":".join([programs, os.path.join(CACHE, "bin"), os.environ["PATH"]]), "NO_COLOR": "1"}


def agents():
    return json.loads(kubectl("-n", NAMESPACE, "get", "pods", "-l", "app=fairlead", "-o", "json"))["items"]


def install(programs):
    script("crds")
    script("images", programs)
    kubectl("apply", "-k", INSTALLATION)
    kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/fairlead", "--timeout=90s")


def uninstall():
    kubectl("delete", "-k", INSTALLATION, "--ignore-not-found", "--wait", check=False)


def install_example():
    kubectl("label", "namespace", "default", "fairlead.dev/mode=enabled", "--overwrite")
    kubectl("apply", "-k", EXAMPLE)
    for name in ("greeter-v1", "greeter-v2", "greeter-v3", "helloweb"):
        kubectl("-n", "default", "rollout", "status", "deployment/" + name, "--timeout=90s")


def uninstall_example():
    kubectl("-n", "default", "delete", "deployment", "load", "--ignore-not-found", check=False)  # of `play`, cut short
    kubectl("delete", "-k", EXAMPLE, "--ignore-not-found", "--wait=false", check=False)
    kubectl("label", "namespace", "default", "fairlead.dev/mode-", check=False)
