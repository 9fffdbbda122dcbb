# Names, paths and addresses that the scripts of the test cluster share; to be sourced.

cluster=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${FAIRLEAD_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairlead-cluster}
state=${FAIRLEAD_CLUSTER_STATE:-/var/lib/fairlead-cluster}
api_port=${FAIRLEAD_CLUSTER_PORT:-6443} # on the host's loopback, 0: a free one; inside the node it is always 6443

node_name=fairlead-node
node_address=10.95.0.2
pods=10.244.0.0/24
services=10.96.0.0/16
api_service=10.96.0.1
dns_service=10.96.0.10
node_address6=fd00:95::2 # these three only with --dual-stack
pods6=fd00:244::/64
services6=fd00:96::/112

export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=true
export PATH="$cache/bin:/usr/local/sbin:/usr/sbin:/sbin:$PATH:/usr/local/go/bin"

say() { echo "cluster: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# When a process started, in ticks after boot: with its number it names one process for good.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# The number, on the host, of the node's first process; fails when the node is not running.
node_pid() {
  local pid started
  read -r pid started 2>/dev/null <"$state/node.pid" || return 1
  [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# Runs a command as if on the node.
in_node() {
  local pid
  pid=$(node_pid) || fail "not running: start it with $cluster/up"
  nsenter --target "$pid" --mount --uts --net --pid --wdns=/ -- "$@"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; fails when it never does or the node has ended.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    node_pid >/dev/null || fail "the node ended; see $state/log/"
    [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $what; see $state/log/"
    sleep 0.3
  done
}

# Takes away what pods' cgroups an ended node left, in each hierarchy, children first; fails when processes are in them.
remove_cgroups() {
  local root left=0
  for root in $(awk '$3 ~ /^cgroup2?$/ {print $2 "/kubepods"}' /proc/mounts); do
    [ -d "$root" ] || continue
    find "$root" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$root" ] || left=1
  done
  return $left
}
