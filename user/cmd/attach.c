/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* attach: pin an instance, attach it to interfaces, leave a keeper behind. */
#include "cmd/loop.h"
#include "cmd/util.h"

static const char *ingress_name(unsigned ingress)
{
	static const char *const names[] = {
		[INGRESS_AUTO] = "auto", [INGRESS_XDP] = "native XDP", [INGRESS_XDP_GENERIC] = "generic XDP",
		[INGRESS_TC] = "tc",	 [INGRESS_NONE] = "nothing",
	};

	return ingress <= INGRESS_NONE ? names[ingress] : "?";
}

static void print_attached(const struct ward *w)
{
	const struct ward_instance *info = ward_info(w);

	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		printf("%.*s: attached, instance '%s', ingress by %s\n", WARD_NAME_LEN, info->iface[i].name,
		       ward_name(w), ingress_name(info->iface[i].ingress));
}

int cmd_attach(int argc, char **argv)
{
	struct cmd_line line;
	struct ward *w;
	int err;

	cmd_parse(&line, OPT_NAME | OPT_TRACK, NULL, NULL, NULL, "IFACE...",
		  "Attach to interfaces and stay: a small keeper process goes on, until `tcpward detach`.", argc, argv);
	if (!line.argc)
		return cmd_error(EXIT_USAGE, "tcpward attach IFACE...", "attach: no interface given");
	loop_hold_signals(); /* whole or not at all */
	err = ward_load(&line.track, &w);
	if (err)
		return cmd_fail(err);
	err = ward_attach(w, (const char *const *)line.argv, line.argc, true);
	cmd_notes(w);
	if (err)
		err = cmd_fail(err);
	else
		print_attached(w);
	ward_close(w);
	return err;
}
