/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map once: who writes it, who reads it, what happens when it is full. All are pinned, so they outlive the agent.
 * State of a connection is kept with its sockets and goes with them; nothing is in an LRU map, which would forget it.
 */
#ifndef FAIRLEAD_BPF_MAPS_BPF_H
#define FAIRLEAD_BPF_MAPS_BPF_H

#include "bpf/abi.h"

/* Written by the agent, read by connect. Full: the agent reports what did not fit; those connections pass. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fairlead_destination);
	__type(value, __u8);
} destinations SEC(".maps");

/*
 * Kept with the cgroup a program is attached to, whatever cgroup below it the caller is in: written by the agent last
 * when it attaches and first when it detaches (and by create), read by connect. Keyed by the cgroup's id.
 */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct fairlead_workload);
} workloads SEC(".maps");

/*
 * By cgroup id, of workloads that exclude something: written by the agent before it attaches the cgroup, read by
 * connect. Full: the workload is not attached. (A program has one map of the kind above, and create writes into it.)
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fairlead_exclusions);
} exclusions SEC(".maps");

/*
 * Kept with the proxy's listening sockets and copied to what they accept: written by the agent, read by connect and
 * accept. A socket without an entry is not the proxy's, whatever port it listens on.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct fairlead_listener);
} listeners SEC(".maps");

/*
 * Kept with the caller's socket: written by connect, read by getpeername and the socket's events. No memory for it: the
 * connection passes. In cgroups that use MPTCP each plain socket has one from the start.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fairlead_caller);
} callers SEC(".maps");

/* Kept with the proxy's end of a connection: written by accept, read by getsockopt. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fairlead_original_destination);
} accepted SEC(".maps");

/*
 * Handshakes under way, by the caller's socket cookie: made by connect, removed by accept or when the socket closes.
 * Reserves a place in `handoffs`, where a connection can be entered only when it is too late to let it pass. Full: the
 * connection passes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} reservations SEC(".maps");

/*
 * From the caller's end to the proxy's: entered just before the SYN, when the source port is known; taken by accept.
 * Never full: as large as `reservations`, and an entry goes before its reservation does.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fairlead_flow);
	__type(value, struct fairlead_handoff);
} handoffs SEC(".maps");

/* Indexed by enum fairlead_counter; read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FAIRLEAD_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* One value, written by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fairlead_settings);
} settings SEC(".maps");

/* Kept with the cgroup a program is attached to, like `workloads`: written by the callers' events, read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct fairlead_tcp);
} tcp SEC(".maps");

/* Kept with the socket of a connection that passes. No memory for it: the connection is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fairlead_connection);
} connections SEC(".maps");

#endif
