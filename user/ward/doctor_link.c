// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* doctor: what a NIC and its driver say, by the netdev netlink family and ethtool's ioctl. */
#include <errno.h>
#include <net/if.h> /* before linux/if.h, which knows how to stand back */

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ward/checks.h"

/* linux/netdev.h is newer (6.3) than the headers that this must build with. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_DEV_GET 1
#define NETDEV_IFINDEX 1
#define NETDEV_XDP_FEATURES 3
#define XDP_FEATURE_BASIC 0x01
#define XDP_FEATURE_RX_SG 0x20 /* fragmented frames: no MTU limit for our programs */

/* A page less headroom, tailroom and the Ethernet header: what fits without fragments. */
#define MTU_ONE_PAGE 3498

/* ---- the netdev family: does the driver have native XDP? ---- */
static int take_family(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(uint64_t *)data = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int take_features(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NETDEV_XDP_FEATURES)
		*(uint64_t *)data = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

struct genl_answer {
	mnl_attr_cb_t take;
	uint64_t value;
};

static int take_genl(const struct nlmsghdr *nlh, void *data)
{
	struct genl_answer *answer = data;

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), answer->take, &answer->value);
	return MNL_CB_OK;
}

static struct nlmsghdr *genl_request(char *buf, uint16_t family, uint8_t command)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	genl->cmd = command;
	genl->version = 1;
	return nlh;
}

static bool genl_ask(struct mnl_socket *nl, const struct nlmsghdr *nlh, struct genl_answer *answer)
{
	char buf[8192];
	ssize_t len;
	int more = mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ? -1 : 1;

	while (more > 0) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		more = len < 0 ? -1 : mnl_cb_run(buf, len, 0, 0, take_genl, answer);
	}
	return more == 0;
}

/* 0 and *features, or a negative errno: the kernel is older than 6.3. */
static int read_xdp_features(unsigned ifindex, uint64_t *features)
{
	struct genl_answer family = { .take = take_family }, answer = { .take = take_features };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	char buf[256] = { 0 };
	struct nlmsghdr *nlh;
	bool ok;

	if (!nl)
		return -errno;
	ok = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0;
	nlh = genl_request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	ok = ok && genl_ask(nl, nlh, &family) && family.value;
	if (ok) {
		memset(buf, 0, sizeof(buf));
		nlh = genl_request(buf, (uint16_t)family.value, NETDEV_DEV_GET);
		mnl_attr_put_u32(nlh, NETDEV_IFINDEX, ifindex);
		ok = genl_ask(nl, nlh, &answer);
	}
	mnl_socket_close(nl);
	if (ok)
		*features = answer.value;
	return ok ? 0 : -EOPNOTSUPP;
}

/* ---- ethtool ---- */
static int ethtool(const char *ifname, void *command)
{
	struct ifreq req = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	req.ifr_data = command;
	err = ioctl(fd, SIOCETHTOOL, &req) ? -errno : 0;
	close(fd);
	return err;
}

/* Number of named features; 0 where there are none. */
static unsigned feature_count(const char *ifname)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} ask = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES } };

	return ethtool(ifname, &ask) || !ask.info.sset_mask ? 0 : ask.count;
}

static bool feature_bit(const char *ifname, unsigned index, unsigned count)
{
	unsigned blocks = (count + 31) / 32;
	struct ethtool_gfeatures *get = calloc(1, sizeof(*get) + blocks * sizeof(get->features[0]));
	bool on = false;

	if (!get)
		return false;
	get->cmd = ETHTOOL_GFEATURES;
	get->size = blocks;
	if (!ethtool(ifname, get))
		on = get->features[index / 32].active & (1U << (index % 32));
	free(get);
	return on;
}

bool link_offload_on(const char *ifname, const char *name)
{
	unsigned count = feature_count(ifname);
	struct ethtool_gstrings *names = count ? calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN) : NULL;
	bool on = false;

	if (!names)
		return false;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (!ethtool(ifname, names))
		for (unsigned i = 0; i < count && !on; i++)
			on = !strncmp((char *)names->data + (size_t)i * ETH_GSTRING_LEN, name, ETH_GSTRING_LEN) &&
			     feature_bit(ifname, i, count);
	free(names);
	return on;
}

/* ---- the checks ---- */
static bool in_list(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* Before 6.3 the kernel cannot be asked: drivers that had native XDP then. */
static bool driver_known_native(const char *driver)
{
	static const char *const native[] = { "veth",	    "virtio_net", "tun",       "ixgbe",	     "ixgbevf",	 "i40e",
					      "ice",	    "igb",	  "igc",       "mlx4_en",    "mlx5_core", "mlx5e_rep",
					      "ena",	    "bnxt_en",	  "nfp",       "qede",	     "sfc",	 "thunder-nicvf",
					      "hv_netvsc",  "mvneta",	  "mvpp2",     "atlantic",   "fsl_dpaa2_eth",
					      "vmxnet3",    "gve",	  "mana",      "stmmaceth",  "bonding",	 NULL };

	return in_list(driver, native);
}

static void driver_cost(const char *driver, char *text, size_t size)
{
	static const char *const rebuilders[] = { "ixgbe", "i40e", "ena", "virtio_net", NULL };

	*text = '\0';
	if (in_list(driver, rebuilders))
		snprintf(text, size, "driver '%s' re-creates its rings when XDP is attached: packets are lost meanwhile",
			 driver);
	else if (!strcmp(driver, "veth"))
		snprintf(text, size, "native XDP on a veth turns TSO off at its peer: throughput falls to about 40 %%");
}

static void check_native(const char *ifname, const struct link_facts *link, const char *driver,
			 struct check_list *list)
{
	uint64_t features = 0;
	bool asked = read_xdp_features(link->ifindex, &features) == 0;
	bool native = asked ? features & XDP_FEATURE_BASIC : driver_known_native(driver);
	bool fragments = asked && (features & XDP_FEATURE_RX_SG);
	char cost[120], remedy[160];

	if (!native) {
		check_add(list, "native-xdp", HEALTH_OK, NULL, "'%s': driver '%s' has no native XDP: ingress goes by tc",
			  ifname, driver);
		return;
	}
	driver_cost(driver, cost, sizeof(cost));
	snprintf(remedy, sizeof(remedy), "tcpward attach --ingress tc %s", ifname);
	if (cost[0])
		check_add(list, "native-xdp", HEALTH_WARN, remedy, "'%s': %s", ifname, cost);
	else
		check_add(list, "native-xdp", HEALTH_OK, NULL, "'%s': driver '%s' has native XDP%s", ifname, driver,
			  asked ? "" : " (by its name: this kernel cannot be asked)");
	snprintf(remedy, sizeof(remedy), "tcpward attach --ingress tc %s, or: ip link set dev %s mtu 1500", ifname,
		 ifname);
	if (link->mtu > MTU_ONE_PAGE && !fragments)
		check_add(list, "mtu", HEALTH_WARN, remedy,
			  "'%s': MTU %u is above what native XDP takes without fragments (about %u)", ifname, link->mtu,
			  MTU_ONE_PAGE);
	else
		check_add(list, "mtu", HEALTH_OK, NULL, "'%s': MTU %u fits native XDP", ifname, link->mtu);
}

static void check_merging(const char *ifname, struct check_list *list)
{
	static const struct {
		const char *feature, *name, *option, *what;
	} offloads[] = {
		{ "rx-lro", "lro", "lro", "LRO" },
		{ "rx-gro-hw", "gro-hw", "rx-gro-hw", "GRO in hardware" },
	};
	char remedy[64];

	for (unsigned i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
		if (!link_offload_on(ifname, offloads[i].feature)) {
			check_add(list, offloads[i].name, HEALTH_OK, NULL, "'%s': %s is off", ifname, offloads[i].what);
			continue;
		}
		snprintf(remedy, sizeof(remedy), "ethtool -K %s %s off", ifname, offloads[i].option);
		check_add(list, offloads[i].name, HEALTH_WARN, remedy,
			  "'%s': %s is on: segments come merged, and native XDP may be refused", ifname,
			  offloads[i].what);
	}
}

/* What stands for the driver's name where there is no ethtool. */
static const char *kind_of(const struct link_facts *link)
{
	if (link->kind[0])
		return link->kind;
	return link->type == ARPHRD_LOOPBACK ? "loopback" : "unknown";
}

void doctor_link(const char *ifname, const struct link_facts *link, struct check_list *list)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	bool ethernet = link->type == ARPHRD_ETHER || link->type == ARPHRD_LOOPBACK;
	char remedy[64];

	snprintf(remedy, sizeof(remedy), "ip link set dev %s up", ifname);
	if (link->flags & IFF_UP)
		check_add(list, "interface", HEALTH_OK, NULL, "'%s': up%s", ifname,
			  link->flags & IFF_RUNNING ? "" : ", without carrier");
	else
		check_add(list, "interface", HEALTH_WARN, remedy, "'%s': down", ifname);
	if (ethtool(ifname, &driver))
		snprintf(driver.driver, sizeof(driver.driver), "%s", kind_of(link));
	check_add(list, "driver", HEALTH_OK, NULL, "'%s': driver '%.32s'%s", ifname, driver.driver,
		  ethernet ? "" : ", frames begin with the IP header");
	check_native(ifname, link, driver.driver, list);
	check_merging(ifname, list);
}

void native_xdp_cost(const char *ifname, char *text, size_t size)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };

	*text = '\0';
	if (!ethtool(ifname, &driver))
		driver_cost(driver.driver, text, size);
}

void doctor_relations(const char *ifname, const struct link_facts *link, struct check_list *list)
{
	char master[IF_NAMESIZE] = "?", lower[IF_NAMESIZE] = "?";

	if (link->master) {
		if_indextoname(link->master, master);
		check_add(list, "master", HEALTH_WARN, "attach to one of the two, never to both",
			  "'%s': is a port of '%s': what passes here may be seen there again", ifname, master);
	}
	if (link->ports)
		check_add(list, "ports", HEALTH_WARN, "attach to it or to its ports, never to both",
			  "'%s': its ports (%u) see the same segments", ifname, link->ports);
	if (link->lower && !link->lower_elsewhere && strcmp(link->kind, "veth")) {
		if_indextoname(link->lower, lower);
		check_add(list, "parent", HEALTH_WARN, "attach to one of the two, never to both",
			  "'%s': stands on '%s', which sees the same segments", ifname, lower);
	}
	if (link->vlans)
		check_add(list, "vlans", HEALTH_WARN, "attach to it or to its VLAN devices, never to both",
			  "'%s': VLAN devices above it (%u) see the same segments", ifname, link->vlans);
}
