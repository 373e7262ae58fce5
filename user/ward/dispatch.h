/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* dispatch: beside other XDP programs, by libxdp's dispatcher. Without libxdp (WARD_LIBXDP) there is none anywhere. */
#ifndef WARD_DISPATCH_H
#define WARD_DISPATCH_H

#include "ward/inside.h"

/* Name of libxdp's XDP program, as the kernel tells it. */
#define DISPATCHER_NAME "xdp_dispatcher"

/* Does libxdp's dispatcher, with a program in it, hang on this interface of our network namespace? *generic: by generic XDP. */
bool dispatch_there(uint32_t ifindex, bool *generic);
/* Names of the other programs in it: 'a', 'b'; "" if there are none. Is ours there, too? */
bool dispatch_names(uint32_t ifindex, char *text, size_t size);
/* Why an XDP program of its name, as we find it there, cannot be joined; and what would mend that. */
const char *dispatch_missing(const char **mend);
/* Puts ward_xdp beside them; 0 or a negative errno, told. The programs of w are loaded. */
int dispatch_attach(struct ward *w, int row);
/* Takes ward_xdp out, if it is there; the others stay. 0 or a negative errno, told. */
int dispatch_detach(const struct ward_iface *iface);

#endif
