// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The SYN cookie's answer by itself: what ward_xdp does with a SYN once the policy wants it answered. */
#define LICENSE license_of_policy
#include "policy.bpf.c"
#undef LICENSE
#define LICENSE license_of_track
#include "track.bpf.c"
#undef LICENSE
#define LICENSE license_of_cookie
#include "cookie.bpf.c"
#undef LICENSE
#define LICENSE license_of_xdp
int ward_xdp(struct xdp_md *ctx) __attribute__((always_inline));
#include "xdp.bpf.c"
#undef LICENSE

__u8 fresh; /* the tracker has no record of it */
__u64 hash; /* of the last segment's key */

SEC("xdp.frags")
int answer(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	int verdict;

	if (!sc || parse(ctx) != PARSED)
		return XDP_ABORTED;
	sc->policy.fresh = fresh;
	sc->hash = hash = key_hash(&sc->seg.key);
	verdict = cookie_syn(ctx);
	return verdict == COOKIE_ANSWERED ? XDP_TX : verdict == COOKIE_PASS ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
