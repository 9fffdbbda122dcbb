/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel part and user space agree on: the only header both include.
 *
 * Addresses are 16 bytes in network order, IPv4 as IPv4-mapped (::ffff:a.b.c.d), so that both families share one key.
 * Padding is explicit and zero: map keys are compared byte by byte.
 */
#ifndef FAIRLEAD_BPF_ABI_H
#define FAIRLEAD_BPF_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define FAIRLEAD_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), "layout of " #type)
#else
#define FAIRLEAD_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), "layout of " #type)
#endif

/* Raised when a layout below changes: pins of another version are not adopted but replaced. */
#define FAIRLEAD_ABI_VERSION 3

/* The proxy listens on this port of 127.0.0.1 and ::1 in each network namespace it serves. */
#define FAIRLEAD_PROXY_PORT 15001

/*
 * getsockopt() on a connection that the proxy accepted: level and name of the option that returns a whole struct
 * fairlead_original_destination. No protocol of the kernel has this level. Fails as an unknown option (ENOPROTOOPT, or
 * EOPNOTSUPP) on a connection that was not redirected.
 */
#define FAIRLEAD_SOCKET_LEVEL 0x464c
#define FAIRLEAD_ORIGINAL_DESTINATION 1

/* Key of `destinations`: what is redirected. */
struct fairlead_destination {
	__u8 address[16];
	__be16 port;
	__u8 pad[2];
};
FAIRLEAD_SIZE(fairlead_destination, 20);

/* Where a redirected connection was going, and who made it. */
struct fairlead_original_destination {
	__u8 address[16];
	__be16 port;
	__u8 pad[6];
	__u64 cgroup_id; /* of the cgroup that opted in, not of one nested in it */
};
FAIRLEAD_SIZE(fairlead_original_destination, 32);

/*
 * Key of `handoffs`: the caller's end of a redirected connection, as both ends see it. The address is part of it: two
 * sockets bound to different addresses may use the same port at the same time.
 */
struct fairlead_flow {
	__u64 netns_id;
	__u8 address[16];
	__be16 port;
	__u8 pad[6];
};
FAIRLEAD_SIZE(fairlead_flow, 32);

/* Value of `handoffs`. */
struct fairlead_handoff {
	struct fairlead_original_destination original;
	__u64 caller_cookie; /* of the caller's socket: a later user of the same flow is told apart */
};
FAIRLEAD_SIZE(fairlead_handoff, 40);

/* Kept with a caller's socket (`callers`) once it was redirected, and with sockets that are known to be plain TCP. */
struct fairlead_caller {
	struct fairlead_handoff handoff; /* caller_cookie 0: not redirected */
	struct fairlead_flow flow; /* port 0 until the kernel has chosen one */
};
FAIRLEAD_SIZE(fairlead_caller, 72);

/* Kept with each listening socket of the proxy (`listeners`), and inherited by what it accepts. */
struct fairlead_listener {
	__u64 netns_id; /* inode number of its network namespace */
};
FAIRLEAD_SIZE(fairlead_listener, 8);

/* Kept with each cgroup the programs are attached to (`workloads`). */
struct fairlead_workload {
	__u64 cgroup_id; /* 0: attached but not redirected (yet, or any more) */
	__u64 has_mptcp; /* some process has made an MPTCP socket */
};
FAIRLEAD_SIZE(fairlead_workload, 16);

/* Of each kind in struct fairlead_exclusions. */
#define FAIRLEAD_MAX_EXCLUSIONS 16

/* What of a workload's connections is never redirected (`exclusions`, by cgroup id), as the caller names it. */
struct fairlead_exclusions {
	__u32 port_ranges; /* how many of these */
	__u32 networks;
	struct {
		__u16 first; /* in host order */
		__u16 last;
	} port_range[FAIRLEAD_MAX_EXCLUSIONS];
	struct {
		__u32 address[4]; /* in network order; 0 where the mask is */
		__u32 mask[4];
	} network[FAIRLEAD_MAX_EXCLUSIONS];
};
FAIRLEAD_SIZE(fairlead_exclusions, 8 + FAIRLEAD_MAX_EXCLUSIONS * (4 + 32));

/* The value of `settings`, changed while programs run. */
struct fairlead_settings {
	__u64 counts_tcp; /* connections that pass are counted in `tcp` */
};
FAIRLEAD_SIZE(fairlead_settings, 8);

/* Upper bounds of the round trip times in struct fairlead_tcp; the last bucket has those above. */
#define FAIRLEAD_RTT_BOUNDS_US { 100, 500, 1000, 5000, 25000, 100000, 500000 }
#define FAIRLEAD_RTT_BUCKETS 8

/*
 * What became of the connections that processes of a cgroup made and that were not redirected, of one CPU (`tcp`). Bytes
 * are the stream's: those the peer acknowledged and those that arrived in order; as the kernel counts, a FIN is one.
 */
struct fairlead_tcp {
	__u64 rtt[FAIRLEAD_RTT_BUCKETS]; /* smoothed, one for each time the kernel measured; not cumulative */
	__u64 rtt_sum_us;
	__u64 retransmits; /* segments */
	__u64 resets; /* by either side, once established */
	__u64 sent_bytes;
	__u64 received_bytes;
};
FAIRLEAD_SIZE(fairlead_tcp, 104);

/* Kept with the socket of such a connection (`connections`): how much of it is counted already. */
struct fairlead_connection {
	__u64 cgroup_id; /* whose it is: programs of cgroups above that opted in too see it as well */
	__u64 sent_bytes;
	__u64 received_bytes;
	__u32 retransmits;
	__u32 pad;
};
FAIRLEAD_SIZE(fairlead_connection, 32);

/* Index of `counters`. What became of each connect() in an opted-in cgroup, then what went wrong afterwards. */
enum fairlead_counter {
	FAIRLEAD_REDIRECTED,

	FAIRLEAD_PASSED_NOT_TCP,
	FAIRLEAD_PASSED_NOT_OURS, /* a destination nothing is to be done for */
	FAIRLEAD_PASSED_INACTIVE, /* the cgroup is being attached or detached */
	FAIRLEAD_PASSED_EXCLUDED, /* by whoever owns the workload */
	FAIRLEAD_PASSED_MPTCP, /* a subflow of it; or a socket made before its cgroup first used MPTCP */
	FAIRLEAD_PASSED_BOUND_TO_DEVICE, /* would hang: loopback is not reachable through a device */
	FAIRLEAD_PASSED_NO_LISTENER, /* no proxy, or a stranger on its port */
	FAIRLEAD_PASSED_MAP_FULL, /* too many handshakes at once */
	FAIRLEAD_PASSED_NO_MEMORY, /* for the record kept with the socket */

	FAIRLEAD_HANDOFF_LOST, /* redirected, but the proxy cannot learn where to. Must stay 0 */

	FAIRLEAD_COUNTERS,
};

#endif
