/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "capture/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <pcap/pcap.h>
#include <pcap/sll.h>

#define ETH_LEN 14
#define ETH_TYPE_AT 12
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define NULL_LEN 4
#define READ_BUFFER (1 << 20)

/* Turns what libpcap gives (data, caplen, len) into packet; false: too short for its link header. */
typedef bool (*link_fn)(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
			struct capture_packet *packet);

struct capture {
	pcap_t *pcap;
	char *path;
	link_fn link;
	uint64_t count;
	uint8_t frame[ETH_LEN + CAPTURE_BYTES];
};

static int fail(struct capture_error *error, int err, const char *remedy, const char *fmt, ...)
{
	va_list args;

	error->truncated = false;
	snprintf(error->remedy, sizeof(error->remedy), "%s", remedy);
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return err;
}

/* ---- link headers ---- */
static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

static bool link_ethernet(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
			  struct capture_packet *packet)
{
	(void)c;
	packet->data = data;
	packet->len = at_most(head->caplen, CAPTURE_BYTES);
	packet->wire_len = head->len;
	packet->l3 = false;
	return true;
}

static bool link_raw(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
		     struct capture_packet *packet)
{
	link_ethernet(c, head, data, packet);
	packet->l3 = true;
	return true;
}

/* An Ethernet header of protocol, then what stands behind skip bytes. */
static bool as_ethernet(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data, size_t skip,
			uint16_t protocol, struct capture_packet *packet)
{
	size_t rest = at_most(head->caplen - skip, CAPTURE_BYTES - ETH_LEN);

	memset(c->frame, 0, ETH_TYPE_AT);
	c->frame[ETH_TYPE_AT] = (uint8_t)(protocol >> 8);
	c->frame[ETH_TYPE_AT + 1] = (uint8_t)protocol;
	memcpy(c->frame + ETH_LEN, data + skip, rest);
	packet->data = c->frame;
	packet->len = ETH_LEN + rest;
	packet->wire_len = head->len - (uint32_t)skip + ETH_LEN;
	packet->l3 = false;
	return true;
}

static uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool link_sll(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
		     struct capture_packet *packet)
{
	if (head->caplen < SLL_HDR_LEN || head->len < SLL_HDR_LEN)
		return false;
	return as_ethernet(c, head, data, SLL_HDR_LEN, be16_at(data + SLL_HDR_LEN - 2), packet);
}

static bool link_sll2(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
		      struct capture_packet *packet)
{
	if (head->caplen < SLL2_HDR_LEN || head->len < SLL2_HDR_LEN)
		return false;
	return as_ethernet(c, head, data, SLL2_HDR_LEN, be16_at(data), packet);
}

/* The family is in the byte order of the capturing machine (NULL) or the network (LOOP): small numbers tell which. */
static uint32_t null_family(const uint8_t *data)
{
	uint32_t big = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];

	return big > 0xffff ? __builtin_bswap32(big) : big;
}

static bool link_null(struct capture *c, const struct pcap_pkthdr *head, const uint8_t *data,
		      struct capture_packet *packet)
{
	uint16_t protocol = 0;

	if (head->caplen < NULL_LEN || head->len < NULL_LEN)
		return false;
	switch (null_family(data)) {
	case AF_INET:
		protocol = ETHERTYPE_IP4;
		break;
	case AF_INET6: /* Linux */
	case 24:       /* NetBSD, OpenBSD */
	case 28:       /* FreeBSD */
	case 30:       /* macOS */
		protocol = ETHERTYPE_IP6;
		break;
	}
	return as_ethernet(c, head, data, NULL_LEN, protocol, packet);
}

static const struct {
	int type;
	link_fn fn;
} links[] = {
	{ DLT_EN10MB, link_ethernet }, { DLT_LINUX_SLL, link_sll }, { DLT_LINUX_SLL2, link_sll2 },
	{ DLT_RAW, link_raw },	       { DLT_IPV4, link_raw },	    { DLT_IPV6, link_raw },
	{ DLT_NULL, link_null },       { DLT_LOOP, link_null },
};

static int choose_link(struct capture *c, struct capture_error *error)
{
	int type = pcap_datalink(c->pcap);
	const char *name = pcap_datalink_val_to_name(type);

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (links[i].type == type)
			c->link = links[i].fn;
	if (c->link)
		return 0;
	return fail(error, -EPROTONOSUPPORT,
		    "capture again as Ethernet, Linux cooked (tcpdump -i any), raw IP or BSD loopback",
		    "cannot replay '%s': link type '%s' (%d) is not known here", c->path, name ? name : "?", type);
}

/* ---- life ---- */
static const char *compression(FILE *file)
{
	static const struct {
		uint8_t magic[4];
		const char *command;
	} known[] = { { { 0x1f, 0x8b }, "zcat" },
		      { { 0x28, 0xb5, 0x2f, 0xfd }, "zstdcat" },
		      { { 0xfd, '7', 'z', 'X' }, "xzcat" } };
	uint8_t head[4] = { 0 };

	rewind(file);
	if (fread(head, 1, sizeof(head), file) == sizeof(head))
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (!memcmp(head, known[i].magic, known[i].magic[2] ? 4 : 2))
				return known[i].command;
	return NULL;
}

static int not_a_capture(const char *path, FILE *file, const char *cause, struct capture_error *error)
{
	const char *command = file == stdin ? NULL : compression(file);
	char remedy[sizeof(error->remedy)];
	bool truncated = strstr(cause, "truncated") != NULL;

	if (command) {
		snprintf(remedy, sizeof(remedy), "decompress it: %s '%.120s' | tcpward replay -", command, path);
		return fail(error, -EINVAL, remedy, "cannot read '%s': it is compressed", path);
	}
	return fail(error, -EINVAL, "it must be a pcap or pcapng file, as tcpdump -w and wireshark write them",
		    "cannot read '%s': not a capture (%s)", path, truncated ? "shorter than a file header" : cause);
}

static int open_file(const char *path, FILE **file, struct capture_error *error)
{
	*file = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
	if (!*file)
		return fail(error, -errno, "", "cannot read '%s': %s", path, strerror(errno));
	setvbuf(*file, NULL, _IOFBF, READ_BUFFER);
	return 0;
}

static int out_of_memory(const char *path, struct capture_error *error)
{
	return fail(error, -ENOMEM, "", "cannot read '%s': out of memory", path);
}

int capture_open(const char *path, struct capture **out, struct capture_error *error)
{
	char cause[PCAP_ERRBUF_SIZE] = "";
	struct capture *c = calloc(1, sizeof(*c));
	FILE *file = NULL;
	int err;

	if (!c)
		return out_of_memory(path, error);
	c->path = strdup(path);
	err = c->path ? open_file(path, &file, error) : out_of_memory(path, error);
	if (err)
		goto out;
	c->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, cause);
	if (!c->pcap) {
		err = not_a_capture(path, file, cause, error);
		if (file != stdin)
			fclose(file);
		goto out;
	}
	err = choose_link(c, error);
	if (!err) {
		*out = c;
		return 0;
	}
out:
	capture_close(c);
	return err;
}

static int read_error(const struct capture *c, struct capture_error *error)
{
	const char *cause = pcap_geterr(c->pcap);
	bool truncated = strstr(cause, "truncated") != NULL;
	int err = fail(error, -EIO,
		       truncated ? "what stands before is reported; the capture was cut while being written or copied"
				 : "",
		       "'%s': damaged after packet %llu: %s", c->path, (unsigned long long)c->count, cause);

	error->truncated = truncated;
	return err;
}

/* No packet was shorter than what was kept of it, nor so long that its Ethernet header overflows: libpcap lets both pass. */
static void sound_length(struct pcap_pkthdr *head)
{
	if (head->len < head->caplen)
		head->len = head->caplen;
	if (head->len > UINT32_MAX - ETH_LEN)
		head->len = UINT32_MAX - ETH_LEN;
}

int capture_next(struct capture *c, struct capture_packet *packet, struct capture_error *error)
{
	struct pcap_pkthdr *head, sound;
	const uint8_t *data;
	int got = pcap_next_ex(c->pcap, &head, &data);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return read_error(c, error);
	c->count++;
	sound = *head;
	sound_length(&sound);
	/* At nanosecond precision tv_usec counts nanoseconds. */
	packet->ts_ns = (uint64_t)head->ts.tv_sec * 1000000000ULL + (uint64_t)head->ts.tv_usec;
	if (!c->link(c, &sound, data, packet)) {
		packet->data = data;
		packet->len = 0; /* ends inside its link header */
		packet->wire_len = sound.len;
		packet->l3 = false;
	}
	return 1;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap); /* and its file */
	free(c->path);
	free(c);
}
