// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Redirects connections of opted-in cgroups to the proxy and tells the proxy where they were going.
 *
 *   create          caller: tell plain TCP from subflows of MPTCP
 *   connect4/6      caller: decide; remember the destination with the socket; reserve a handoff; rewrite the address
 *   caller_events   caller: the source port is known, enter the handoff; the socket closes, withdraw it. Counts what
 *                   the kernel knows of connections that pass
 *   accept_events   proxy: the connection is established, move the handoff to its socket
 *   getsockopt      proxy: answer from there
 *   getpeername4/6  caller: sees the address it asked for
 *   release         caller: withdraw the reservation of a connect() that failed before its SYN
 *
 * No program here refuses anything: each returns 1, and what it cannot redirect it lets pass.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/maps.bpf.h"
#include "bpf/redirect_decision.h"

#define AF_INET 2
#define AF_INET6 10
#define SOL_IP 0
#define SOL_IPV6 41
/* Both families' name for it: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
#define SO_ORIGINAL_DST 80

#define LOOPBACK4 bpf_htonl(0x7f000001)
#define MAPPED_PREFIX bpf_htonl(0xffff)

#define PASS 1

/* Loads of a context must keep their constant offset: the compiler may not merge those of two branches. */
#define CTX_WORD(field) (*(const volatile __u32 *)&(field))

/* An address as four words, the form in which the kernel's contexts have it. */
struct words {
	__u32 at[4];
};

static __always_inline struct words map_v4(__u32 address)
{
	return (struct words){ { 0, 0, MAPPED_PREFIX, address } };
}

/* The fields of both families are read, then one is chosen: see CTX_WORD. */
static __always_inline struct words choose(__u32 family, __u32 v4, struct words v6)
{
	return family == AF_INET ? map_v4(v4) : v6;
}

#define SOCK_OPS_ADDRESS(ctx, side) \
	choose((ctx)->family, CTX_WORD((ctx)->side##_ip4), \
	       (struct words){ { CTX_WORD((ctx)->side##_ip6[0]), CTX_WORD((ctx)->side##_ip6[1]), \
				 CTX_WORD((ctx)->side##_ip6[2]), CTX_WORD((ctx)->side##_ip6[3]) } })

static __always_inline bool is_v4(const struct words *address)
{
	return address->at[0] == 0 && address->at[1] == 0 && address->at[2] == MAPPED_PREFIX;
}

static __always_inline void store(__u8 *to, const struct words *from)
{
	__builtin_memcpy(to, from, sizeof(*from));
}

static __always_inline struct words load(const __u8 *from)
{
	struct words address;

	__builtin_memcpy(&address, from, sizeof(address));
	return address;
}

static __always_inline void count(enum fairlead_counter which)
{
	__u32 index = which;
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* The network namespace's id when the proxy listens there for this family, else 0. */
static __always_inline __u64 find_listener(struct bpf_sock_addr *ctx, bool wants_v4)
{
	struct bpf_sock_tuple tuple = {};
	struct fairlead_listener *listener;
	struct bpf_sock *sk;
	__u64 netns_id = 0;
	__u32 size;

	if (wants_v4) {
		tuple.ipv4.daddr = LOOPBACK4;
		tuple.ipv4.dport = bpf_htons(FAIRLEAD_PROXY_PORT);
		size = sizeof(tuple.ipv4);
	} else {
		tuple.ipv6.daddr[3] = bpf_htonl(1);
		tuple.ipv6.dport = bpf_htons(FAIRLEAD_PROXY_PORT);
		size = sizeof(tuple.ipv6);
	}
	sk = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	listener = bpf_sk_storage_get(&listeners, sk, NULL, 0);
	if (listener)
		netns_id = listener->netns_id;
	bpf_sk_release(sk);
	return netns_id;
}

/* The handoff is taken back unless the proxy has it already; then its place is free again. */
static __always_inline void withdraw(struct fairlead_caller *caller)
{
	__u64 cookie = caller->handoff.caller_cookie;
	struct fairlead_handoff *entered;
	struct fairlead_flow flow;

	if (caller->flow.port) {
		flow = caller->flow;
		entered = bpf_map_lookup_elem(&handoffs, &flow);
		if (entered && entered->caller_cookie == cookie)
			bpf_map_delete_elem(&handoffs, &flow);
		caller->flow.port = 0;
	}
	bpf_map_delete_elem(&reservations, &cookie);
}

static __always_inline bool is_redirected(const struct fairlead_caller *caller)
{
	return caller && caller->handoff.caller_cookie;
}

/* Of a connect() of this socket that failed; getpeername must not tell of it. */
static __always_inline void forget_earlier(struct fairlead_caller *caller)
{
	if (!is_redirected(caller))
		return;
	withdraw(caller);
	caller->handoff.caller_cookie = 0;
}

static __always_inline struct words loopback(bool wants_v4)
{
	return wants_v4 ? map_v4(LOOPBACK4) : (struct words){ { 0, 0, 0, bpf_htonl(1) } };
}

/* A cgroup above the caller's has opted in too: its program runs after ours and finds the rewritten address. */
static __always_inline bool is_redirected_already(const struct fairlead_caller *caller, const struct words *address,
						  __be16 port)
{
	struct words proxy = loopback(is_v4(address));

	return is_redirected(caller) && !caller->flow.port && port == bpf_htons(FAIRLEAD_PROXY_PORT) &&
	       __builtin_memcmp(address, &proxy, sizeof(proxy)) == 0;
}

static __always_inline bool is_excluded_for(__u64 cgroup_id, const struct words *address, __be16 port)
{
	struct fairlead_exclusions *excluded = bpf_map_lookup_elem(&exclusions, &cgroup_id);

	return excluded && is_excluded(excluded, address->at, bpf_ntohs(port));
}

static __always_inline bool redirect(struct bpf_sock_addr *ctx, const struct words *address)
{
	struct fairlead_workload *workload = bpf_get_local_storage(&workloads, 0);
	struct fairlead_destination destination = { .port = (__be16)ctx->user_port };
	struct fairlead_original_destination *original;
	__u64 cookie = bpf_get_socket_cookie(ctx);
	__u64 cgroup_id = workload->cgroup_id;
	struct fairlead_caller *caller;
	struct bpf_sock *sk = ctx->sk;
	enum fairlead_counter verdict;
	__u64 netns_id = 0;
	__u8 reserved = 1;

	if (!sk)
		return false;
	caller = bpf_sk_storage_get(&callers, sk, NULL, 0);
	if (is_redirected_already(caller, address, destination.port))
		return false;
	forget_earlier(caller);
	store(destination.address, address);
	struct redirect_facts facts = {
		.protocol = ctx->protocol,
		.bound_device = sk->bound_dev_if,
		.is_active = cgroup_id != 0,
		.is_plain = caller || !workload->has_mptcp,
		.is_ours = bpf_map_lookup_elem(&destinations, &destination) != NULL,
	};
	if (facts.is_ours)
		facts.is_excluded = is_excluded_for(cgroup_id, address, destination.port);
	/*
	 * First the place, then the listener: once the agent has taken a listener's registration away and sees no
	 * place taken, no connection is on its way to it.
	 */
	if (judge_socket(&facts) == FAIRLEAD_REDIRECTED)
		facts.has_place = bpf_map_update_elem(&reservations, &cookie, &reserved, BPF_ANY) == 0;
	if (facts.has_place)
		netns_id = find_listener(ctx, is_v4(address));
	facts.has_listener = netns_id != 0;

	verdict = decide_redirect(&facts);
	if (verdict == FAIRLEAD_REDIRECTED && !caller) {
		caller = bpf_sk_storage_get(&callers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!caller)
			verdict = FAIRLEAD_PASSED_NO_MEMORY;
	}
	count(verdict);
	if (verdict != FAIRLEAD_REDIRECTED || !caller) {
		if (facts.has_place)
			bpf_map_delete_elem(&reservations, &cookie);
		return false;
	}
	original = &caller->handoff.original;
	__builtin_memcpy(original->address, destination.address, sizeof(destination.address));
	original->port = destination.port;
	original->cgroup_id = cgroup_id;
	caller->handoff.caller_cookie = cookie;
	caller->flow.netns_id = netns_id;
	return true;
}

/*
 * When a subflow of MPTCP connects it looks like any TCP socket, but it must reach the real peer. The kernel makes it
 * for itself, which does not run this program: so once a cgroup uses MPTCP, the sockets that processes make are noted,
 * and others pass. Cgroups that do not use it pay nothing.
 */
SEC("cgroup/sock_create")
int create(struct bpf_sock *sk)
{
	struct fairlead_workload *workload = bpf_get_local_storage(&workloads, 0);

	if (sk->protocol == FAIRLEAD_MPTCP)
		workload->has_mptcp = 1;
	else if (sk->protocol == FAIRLEAD_TCP && workload->has_mptcp)
		bpf_sk_storage_get(&callers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	return PASS;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct words address = map_v4(ctx->user_ip4);

	if (redirect(ctx, &address)) {
		ctx->user_ip4 = LOOPBACK4;
		ctx->user_port = bpf_htons(FAIRLEAD_PROXY_PORT);
	}
	return PASS;
}

static __always_inline void set_address6(struct bpf_sock_addr *ctx, const struct words *address)
{
	ctx->user_ip6[0] = address->at[0];
	ctx->user_ip6[1] = address->at[1];
	ctx->user_ip6[2] = address->at[2];
	ctx->user_ip6[3] = address->at[3];
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	struct words address = { { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] } };

	if (!redirect(ctx, &address))
		return PASS;
	address = loopback(is_v4(&address));
	set_address6(ctx, &address);
	ctx->user_port = bpf_htons(FAIRLEAD_PROXY_PORT);
	return PASS;
}

static __always_inline struct fairlead_caller *redirected_caller(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct fairlead_caller *caller = sk ? bpf_sk_storage_get(&callers, sk, NULL, 0) : NULL;

	return is_redirected(caller) ? caller : NULL;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	struct fairlead_caller *caller = redirected_caller(ctx);

	if (caller) {
		ctx->user_ip4 = load(caller->handoff.original.address).at[3];
		ctx->user_port = caller->handoff.original.port;
	}
	return PASS;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	struct fairlead_caller *caller = redirected_caller(ctx);
	struct words address;

	if (caller) {
		address = load(caller->handoff.original.address);
		set_address6(ctx, &address);
		ctx->user_port = caller->handoff.original.port;
	}
	return PASS;
}

SEC("cgroup/sock_release")
int release(struct bpf_sock *sk)
{
	struct fairlead_caller *caller = bpf_sk_storage_get(&callers, sk, NULL, 0);

	/* With a port the SYN has left: the socket's end is an event of its own, maybe long after close(). */
	if (is_redirected(caller) && !caller->flow.port)
		withdraw(caller);
	return PASS;
}

static __always_inline void enter_handoff(struct bpf_sock_ops *ctx, struct fairlead_caller *caller)
{
	struct words local = SOCK_OPS_ADDRESS(ctx, local);
	struct fairlead_handoff handoff = caller->handoff;
	struct fairlead_flow flow;

	store(caller->flow.address, &local);
	caller->flow.port = bpf_htons((__u16)ctx->local_port);
	flow = caller->flow;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	if (bpf_map_update_elem(&handoffs, &flow, &handoff, BPF_ANY))
		count(FAIRLEAD_HANDOFF_LOST);
}

static __always_inline void add(__u64 *value, __u64 n)
{
	__sync_fetch_and_add(value, n);
}

/* A connection that passes is about to send its SYN, which the kernel counts as one byte. */
static __always_inline void begin_counting(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct fairlead_workload *workload = bpf_get_local_storage(&workloads, 0);
	struct fairlead_connection *connection;
	struct fairlead_settings *how;
	__u32 first = 0;

	how = bpf_map_lookup_elem(&settings, &first);
	if (!how || !how->counts_tcp || !workload->cgroup_id)
		return;
	connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection || (connection->cgroup_id && connection->cgroup_id != workload->cgroup_id))
		return;
	connection->cgroup_id = workload->cgroup_id;
	connection->sent_bytes = 1;
	connection->received_bytes = 0;
	connection->retransmits = 0;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG |
					       BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void count_rtt(struct fairlead_tcp *counts, __u32 microseconds)
{
	const __u32 bounds[] = FAIRLEAD_RTT_BOUNDS_US;
	__u32 bucket = 0;

#pragma unroll
	for (__u32 i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		bucket += microseconds > bounds[i];
	/* The verifier cannot add that up. */
	add(&counts->rtt[bucket & (FAIRLEAD_RTT_BUCKETS - 1)], 1);
	add(&counts->rtt_sum_us, microseconds);
}

/* What has happened on the connection since the last time. */
static __always_inline void count_news(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct fairlead_workload *workload = bpf_get_local_storage(&workloads, 0);
	struct fairlead_tcp *counts = bpf_get_local_storage(&tcp, 0);
	struct fairlead_connection *connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	__u64 received_bytes = ctx->bytes_received;
	__u32 retransmits = ctx->total_retrans;
	__u64 sent_bytes = ctx->bytes_acked;

	if (!connection || connection->cgroup_id != workload->cgroup_id)
		return;
	if (sent_bytes > connection->sent_bytes) { /* not while the SYN is not acknowledged */
		add(&counts->sent_bytes, sent_bytes - connection->sent_bytes);
		connection->sent_bytes = sent_bytes;
	}
	add(&counts->received_bytes, received_bytes - connection->received_bytes);
	connection->received_bytes = received_bytes;
	add(&counts->retransmits, (__u32)(retransmits - connection->retransmits));
	connection->retransmits = retransmits;
	if (ctx->op == BPF_SOCK_OPS_RTT_CB)
		count_rtt(counts, ctx->srtt_us >> 3);
	/* A close in good order goes through other states. */
	if (ctx->op == BPF_SOCK_OPS_STATE_CB &&
	    (ctx->args[0] == BPF_TCP_ESTABLISHED || ctx->args[0] == BPF_TCP_CLOSE_WAIT))
		add(&counts->resets, 1);
}

SEC("sockops")
int caller_events(struct bpf_sock_ops *ctx)
{
	bool is_start = ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB;
	bool is_end = ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == BPF_TCP_CLOSE;
	struct fairlead_caller *caller;
	struct bpf_sock *sk;

	if (!is_start && !is_end && ctx->op != BPF_SOCK_OPS_RTT_CB && ctx->op != BPF_SOCK_OPS_RETRANS_CB)
		return PASS;
	sk = ctx->sk;
	if (!sk)
		return PASS;
	caller = bpf_sk_storage_get(&callers, sk, NULL, 0);
	if (!caller || !is_redirected(caller)) {
		if (is_start)
			begin_counting(ctx, sk);
		else
			count_news(ctx, sk);
	} else if (is_start) {
		bpf_sk_storage_delete(&connections, sk); /* of an earlier connect() that passed */
		enter_handoff(ctx, caller);
	} else if (is_end) {
		withdraw(caller);
	}
	return PASS;
}

/*
 * Runs before the caller can have done anything with the connection, so a caller that sends and closes at once is
 * answered like any other.
 */
SEC("sockops")
int accept_events(struct bpf_sock_ops *ctx)
{
	struct fairlead_original_destination *original;
	struct fairlead_listener *listener;
	struct fairlead_handoff *handoff;
	struct fairlead_flow flow = {};
	struct bpf_sock *sk;
	__u64 cookie;

	if (ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return PASS;
	sk = ctx->sk;
	if (!sk)
		return PASS;
	listener = bpf_sk_storage_get(&listeners, sk, NULL, 0);
	if (!listener)
		return PASS;

	struct words remote = SOCK_OPS_ADDRESS(ctx, remote);

	flow.netns_id = listener->netns_id;
	store(flow.address, &remote);
	flow.port = bpf_htons((__u16)bpf_ntohl(ctx->remote_port));
	handoff = bpf_map_lookup_elem(&handoffs, &flow);
	if (!handoff)
		return PASS; /* somebody who connects to the proxy's port directly */

	original = bpf_sk_storage_get(&accepted, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (original)
		*original = handoff->original;
	else
		count(FAIRLEAD_HANDOFF_LOST);
	cookie = handoff->caller_cookie;
	bpf_map_delete_elem(&handoffs, &flow);
	bpf_map_delete_elem(&reservations, &cookie);
	return PASS;
}

static __always_inline void answer(struct bpf_sockopt *ctx, __s32 size)
{
	ctx->optlen = size;
	ctx->retval = 0;
}

static __always_inline void answer_record(struct bpf_sockopt *ctx, const struct fairlead_original_destination *original)
{
	struct fairlead_original_destination *to = ctx->optval;

	if ((void *)(to + 1) > ctx->optval_end)
		return;
	*to = *original;
	answer(ctx, sizeof(*to));
}

static __always_inline void answer_sockaddr4(struct bpf_sockopt *ctx,
					     const struct fairlead_original_destination *original)
{
	struct sockaddr_in *to = ctx->optval;

	if ((void *)(to + 1) > ctx->optval_end)
		return;
	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = original->port };
	to->sin_addr.s_addr = load(original->address).at[3];
	answer(ctx, sizeof(*to));
}

static __always_inline void answer_sockaddr6(struct bpf_sockopt *ctx,
					     const struct fairlead_original_destination *original)
{
	struct sockaddr_in6 *to = ctx->optval;

	if ((void *)(to + 1) > ctx->optval_end)
		return;
	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = original->port };
	__builtin_memcpy(&to->sin6_addr, original->address, sizeof(original->address));
	answer(ctx, sizeof(*to));
}

/* The kernel has answered "no such option" by now; a buffer that is too small gets that answer. */
SEC("cgroup/getsockopt")
int getsockopt(struct bpf_sockopt *ctx)
{
	struct fairlead_original_destination *original;
	struct bpf_sock *sk = ctx->sk;
	bool is_ours = ctx->level == FAIRLEAD_SOCKET_LEVEL && ctx->optname == FAIRLEAD_ORIGINAL_DESTINATION;
	bool is_standard = (ctx->level == SOL_IP || ctx->level == SOL_IPV6) && ctx->optname == SO_ORIGINAL_DST;

	if (!sk || !(is_ours || is_standard))
		return PASS;
	original = bpf_sk_storage_get(&accepted, sk, NULL, 0);
	if (!original)
		return PASS;
	if (is_ours)
		answer_record(ctx, original);
	else if (ctx->level == SOL_IP)
		answer_sockaddr4(ctx, original);
	else
		answer_sockaddr6(ctx, original);
	return PASS;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
