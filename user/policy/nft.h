/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nft: which rule of the host's own nftables stands in the way of connections that a SYN cookie opens. */
#ifndef POLICY_NFT_H
#define POLICY_NFT_H

#include <stdbool.h>
#include <stdint.h>

struct nft_place {
	char family[8], table[64], chain[64]; /* "inet", "filter", "input" */
	int64_t handle;                       /* of the rule; 0: the chain's policy drops */
};

/*
 * Looks through what `nft -j list ruleset` prints, in the order of hooks and priorities, for what drops an ACK that conntrack
 * takes for new, since it never saw its SYN. v6: which family the ACK is of. Conditions on addresses, ports and interfaces are
 * not looked at, so it is likely the one, not surely. false: none was found, or none
 * whose names fit, or that is no such text.
 */
bool nft_find_dropper(const char *json, bool v6, struct nft_place *out);

#endif
