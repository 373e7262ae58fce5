/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nat: does this network namespace translate addresses? */
#ifndef WARD_NAT_H
#define WARD_NAT_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a chain of type nat (nftables, iptables-nft), or the table nat of legacy iptables? what: one, for a message. */
bool nat_chain(char *what, size_t size);

#endif
