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

struct redirect_facts {
	__u32 protocol; /* of the socket */
	__u32 bound_device; /* interface index; 0: none */
	bool is_active; /* the agent has opened the cgroup for redirection */
	bool is_plain; /* known not to be a subflow of MPTCP */
	bool is_ours; /* the agent wants this destination */
	/* Looked for only when nothing above speaks against redirecting: */
	bool has_place; /* a place for the handshake is reserved */
	bool has_listener; /* the proxy listens in this network namespace, for this family */
};

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
