/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Redirect a connect() or let it pass, and why: pure, because the kernel cannot test-run cgroup/connect programs. Built
 * into the program and into tests/unit/bpf.
 */
#ifndef FAIRLEAD_BPF_REDIRECT_DECISION_H
#define FAIRLEAD_BPF_REDIRECT_DECISION_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/abi.h"

/* IPPROTO_TCP and IPPROTO_MPTCP; linux/in.h does not get along with the C library's header in user space. */
#define FAIRLEAD_TCP 6
#define FAIRLEAD_MPTCP 262

/* The third word of an IPv4-mapped address, in network order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FAIRLEAD_MAPPED_PREFIX 0xffff0000
#else
#define FAIRLEAD_MAPPED_PREFIX 0x0000ffff
#endif

struct redirect_facts {
	__u32 protocol; /* of the socket */
	__u32 bound_device; /* interface index; 0: none */
	bool is_active; /* the agent has opened the cgroup for redirection */
	bool is_excluded; /* the workload's owner does not want it */
	bool is_plain; /* known not to be a subflow of MPTCP */
	bool is_ours; /* the agent wants this destination */
	/* Looked for only when nothing above speaks against redirecting: */
	bool has_place; /* a place for the handshake is reserved */
	bool has_listener; /* the proxy listens in this network namespace, for this family */
};

/* `address` in network order, IPv4 as IPv4-mapped; `port` in host order. */
static inline bool is_excluded(const struct fairlead_exclusions *exclusions, const __u32 address[4], __u16 port)
{
	bool is_v4 = address[0] == 0 && address[1] == 0 && address[2] == FAIRLEAD_MAPPED_PREFIX;

	for (__u32 i = 0; i < FAIRLEAD_MAX_EXCLUSIONS && i < exclusions->port_ranges; i++) {
		if (port >= exclusions->port_range[i].first && port <= exclusions->port_range[i].last)
			return true;
	}
	for (__u32 i = 0; i < FAIRLEAD_MAX_EXCLUSIONS && i < exclusions->networks; i++) {
		const __u32 *mask = exclusions->network[i].mask;
		const __u32 *network = exclusions->network[i].address;

		/* ::/0 means IPv6, although mapped addresses are below it. */
		if (is_v4 && mask[2] != 0xffffffff)
			continue;
		if ((address[0] & mask[0]) == network[0] && (address[1] & mask[1]) == network[1] &&
		    (address[2] & mask[2]) == network[2] && (address[3] & mask[3]) == network[3])
			return true;
	}
	return false;
}

/*
 * FAIRLEAD_REDIRECTED when the socket and its destination may be redirected, or the first reason why not. Destinations
 * that are not ours come first: the other reasons count connections that would have been redirected.
 */
static inline enum fairlead_counter judge_socket(const struct redirect_facts *facts)
{
	if (facts->protocol != FAIRLEAD_TCP)
		return FAIRLEAD_PASSED_NOT_TCP;
	if (!facts->is_ours)
		return FAIRLEAD_PASSED_NOT_OURS;
	if (!facts->is_active)
		return FAIRLEAD_PASSED_INACTIVE;
	if (facts->is_excluded)
		return FAIRLEAD_PASSED_EXCLUDED;
	if (!facts->is_plain)
		return FAIRLEAD_PASSED_MPTCP;
	if (facts->bound_device != 0)
		return FAIRLEAD_PASSED_BOUND_TO_DEVICE;
	return FAIRLEAD_REDIRECTED;
}

/* The whole decision, with all facts. */
static inline enum fairlead_counter decide_redirect(const struct redirect_facts *facts)
{
	enum fairlead_counter verdict = judge_socket(facts);

	if (verdict != FAIRLEAD_REDIRECTED)
		return verdict;
	if (!facts->has_place)
		return FAIRLEAD_PASSED_MAP_FULL;
	if (!facts->has_listener)
		return FAIRLEAD_PASSED_NO_LISTENER;
	return FAIRLEAD_REDIRECTED;
}

#endif
