// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `explain` and the man page say about each kind: what is counted and why it matters, what to do first, where the RFCs
 * speak of it, what looks alike and is harmless. Written for whoever reads it at three in the morning.
 */
#include "detect/internal.h"

struct words {
	const char *meaning, *advice, *reference, *lookalikes;
};

static const struct words words[FINDING_COUNT] = {
	[FINDING_STALE_SYN] = {
		"A SYN has had no answer at all for stale-syn.after: no SYN-ACK, no RST. One alone says that a host is down or "
		"a filter drops; stale-syn.many of them from one source in 10 s say that it tries what is not there, or that "
		"its address is forged. Where 16 sources and more get no answer from one service, it is said of the service.",
		"See which: tcpward flows 'finding stale-syn'. Is the service up, and does a filter on the way drop SYNs? On the "
		"server: ss -ltn and nft list ruleset. If one source has hundreds of them, look for a port-scan finding about it, "
		"and limit its SYNs; but its address may be forged: see that it completes handshakes (tcpward stat sources) before "
		"you block it.",
		"RFC 9293 section 3.8.3 (a SYN is repeated for at least 3 minutes before the connection attempt fails)",
		"A host that is switched off, a firewall that drops instead of refusing, a client with an old address in its "
		"configuration. Linux drops new SYNs while the accept queue is full: then this is all that is seen beside open "
		"connections, and ss -ltn on the server shows Recv-Q above Send-Q. Where only one direction passes here, every SYN would look unanswered: then nothing is raised, "
		"and `tcpward status` says one-way.",
	},
	[FINDING_HALF_OPEN] = {
		"The service answered a SYN, and the third segment of the handshake does not come: the service keeps a place of "
		"its SYN queue for it and sends its SYN-ACK again and again. Raised for a flow after half-open.after and "
		"half-open.repeats SYN-ACKs, and for a source that holds half-open.max of them, whatever their age, while fewer "
		"than half-open.completion of its handshakes complete. What is explained by a syn-flood is not said again.",
		"See them: tcpward flows 'finding half-open'. On the server: ss -tn state syn-recv, and nstat -az "
		"TcpExtTCPReqQFullDoCookies TcpExtListenDrops. SYN cookies must be allowed (sysctl net.ipv4.tcp_syncookies=1); "
		"then limit the SYNs of a source that holds many (half-open-per-source in a policy, tcpward-policy(5)); block it only "
		"where it completes handshakes (tcpward stat sources): else its address may be forged. Fewer repetitions free "
		"the places sooner: sysctl net.ipv4.tcp_synack_retries.",
		"RFC 9293 section 3.10.7.4 (SYN-RECEIVED); RFC 4987 sections 2 and 3 (SYN flooding and what helps). Not the "
		"half-open connections of RFC 9293 section 3.5.1: those are dead-peer",
		"A full accept queue: the client did complete, the service ignores it (accept-queue-full is raised instead). Loss "
		"on the way from client to server. A source that never completes anything may be the victim: then its address "
		"is forged, and reflection is raised instead.",
	},
	[FINDING_SYN_FLOOD] = {
		"A service has syn-flood.min handshakes that are not complete, answered or not, and fewer than "
		"syn-flood.completion of those that it answered in 10 s complete. With forged addresses no source stands out, "
		"so this is counted by service and does not wait for a handshake to grow old.",
		"Check that the service still answers: its own completion stands in tcpward stat services. On the server: sysctl "
		"net.ipv4.tcp_syncookies must be 1; ss -tn state syn-recv | wc -l; nstat -az TcpExtSyncookiesSent "
		"TcpExtListenOverflows. Raise net.ipv4.tcp_max_syn_backlog and net.core.somaxconn. Look at tcpward stat sources: "
		"if a few sources make most of it, drop them (tcpward block add ADDRESS --for 10m, or new-per-source in a policy); if "
		"none does, the addresses are forged and only cookies, or your provider, will help: a policy whose service says "
		"half-open: {enter: 25%, then: syncookie} has XDP answer with cookies (drop-first-syn on a router); tcpward-policy(5).",
		"RFC 4987 sections 2 and 3 (3.6: SYN cookies)",
		"A service whose accept queue is full drops SYNs of honest clients: what is unanswered is then not counted here. A "
		"service that is down has many clients too, but those repeat their SYNs. Many clients that start in the same "
		"second are half open for one round trip only.",
	},
	[FINDING_ACCEPT_QUEUE_FULL] = {
		"The client has completed the handshake, and the service sends its SYN-ACK again, accept-queue-full.repeats times: "
		"the kernel of the server threw the client's ACK away because the queue of connections that wait for accept() is full. It looks "
		"half-open from outside, and is not an attack: the application is too slow, or stuck.",
		"On the server: ss -ltn shows Recv-Q (waiting) against Send-Q (the queue's size) of the listener; nstat -az "
		"TcpExtListenOverflows counts. Find out why the application does not call accept(): stuck, out of threads or "
		"of file descriptors. A larger queue needs both the application's listen() argument and sysctl "
		"net.core.somaxconn.",
		"RFC 9293 section 3.10.7.4 (SYN-RECEIVED, ACK); the queue itself is the socket interface's: listen(2)",
		"A lost ACK makes one SYN-ACK come again: that is not enough. A server that defers the accept "
		"(TCP_DEFER_ACCEPT) ignores the bare ACK and repeats its SYN-ACK until data comes. The other way round: while the "
		"queue is full Linux drops new SYNs too, and once nobody is left in the handshake only stale-syn is seen beside open "
		"connections; ss -ltn shows Recv-Q above Send-Q.",
	},
	[FINDING_DEAD_PEER] = {
		"One end is gone, and the other does not know: its segments stay without an answer (dead-peer.repeats of them, and "
		"dead-peer.silence without a segment from the peer), its keep-alive probes do (dead-peer.probes), or the peer "
		"turned out to have no such connection. The survivor holds a socket and memory for nobody.",
		"See which: tcpward flows 'finding dead-peer', and tcpward flow of one for its ladder. Is the peer up, and the way "
		"to it? If it was restarted, the survivor will notice after its retransmissions: sysctl net.ipv4.tcp_retries2, "
		"or keep-alives (SO_KEEPALIVE, net.ipv4.tcp_keepalive_time) or TCP_USER_TIMEOUT in the application. To end one "
		"at once: ss -K dst ADDRESS dport = PORT.",
		"RFC 9293 section 3.5.1 (half-open connections), 3.8.3 (connection failures), 3.8.4 (keep-alives)",
		"A route that flaps: it ends when segments come again. A mirror that loses segments, or a tap of one direction: then "
		"nothing is raised, and `tcpward status` says so.",
	},
	[FINDING_TIME_WAIT_BUILDUP] = {
		"So many connections between one client and one service are in TIME-WAIT: time-wait-buildup.max, or more than "
		"time-wait-buildup.share of the 28232 local ports of Linux's default range. Each occupies one of the client's "
		"ports for 2MSL, 60 s in Linux. It is load, not an attack, and a warning of port-exhaustion.",
		"Let the client keep connections open and use them again (HTTP keep-alive, a connection pool). If it cannot: sysctl "
		"net.ipv4.tcp_tw_reuse=1 on the client, with time stamps on; a wider net.ipv4.ip_local_port_range; more "
		"addresses on either side. Do not look for tcp_tw_recycle: it broke clients behind NAT and is gone.",
		"RFC 9293 section 3.6.1 (TIME-WAIT, 2MSL); RFC 6191 (a newer SYN may reopen it)",
		"A busy proxy or load tester does this all day. Where the server closes first, TIME-WAIT is the server's, and costs "
		"it memory but no ports.",
	},
	[FINDING_TIME_WAIT_REUSE] = {
		"One source used time-wait-reuse.max 4-tuples again in 10 s that were still in TIME-WAIT, or tried to. A SYN with a "
		"higher sequence number or time stamp is accepted; others are answered with an ACK, and the client starts again "
		"a second later.",
		"Usually nothing. If clients complain of connections that take a second: look for TW_SYN_OLD in tcpward flows "
		"'flag TW_SYN_OLD', have time stamps on both ends (net.ipv4.tcp_timestamps=1), and give the client more ports.",
		"RFC 9293 section 3.6.1 (MAY-2); RFC 6191 section 2",
		"Linux clients that bind() a port before connect(), and NAT boxes that give a freed port to the next client: both "
		"normal. Only a high rate is told.",
	},
	[FINDING_TIME_WAIT_ASSASSINATION] = {
		"A RST ended a connection in TIME-WAIT before its time, or several that were not exact tried to "
		"(time-wait-assassination.resets). Old duplicates may then be taken for data of the next connection on the same "
		"4-tuple; whoever aims such RSTs may want just that.",
		"See them: tcpward flows 'finding time-wait-assassination'. On the host in TIME-WAIT sysctl net.ipv4.tcp_rfc1337=1 "
		"makes it ignore those RSTs; so does a policy with a rule invalid: rst-time-wait (tcpward-policy(5)). Then find who "
		"sends them: a middlebox that resets idle connections is the usual culprit.",
		"RFC 1337 (hazards of TIME-WAIT assassination)",
		"A client that sends a SYN with a low sequence number into TIME-WAIT gets an ACK, answers it with a RST, and starts "
		"again: the RST is its own and is not counted.",
	},
	[FINDING_FIN_STORM] = {
		"A FIN was sent again fin-storm.fins times in 10 s on one flow, or one source sent fin-storm.max FINs in 10 s into "
		"connections in TIME-WAIT. Each earns an ACK and starts 2MSL again: cheap to send, and it holds the other end's "
		"memory and ports.",
		"See them: tcpward flows 'finding fin-storm'. A stack that does not take the ACK for an answer is broken, or made to "
		"be: drop the FINs of that source into TIME-WAIT, by a policy with a rule invalid: fin-time-wait (tcpward-policy(5)).",
		"RFC 9293 section 3.10.7.4 (eighth, FIN in TIME-WAIT: acknowledge, restart 2MSL)",
		"A path that dies after the close gives at most 9 FINs in 55 s from Linux, in ever longer steps: that stays below "
		"the limit, and a service whose clients went off just after they closed is not told for as many.",
	},
	[FINDING_TIME_WAIT_PINNING] = {
		"2MSL of one connection was started again more than time-wait-pinning.restarts times, or it has lasted more than "
		"four times 2MSL: segments keep coming for a connection that both ends have closed. Linux starts the wait again "
		"for any segment with an ACK, so one small segment a minute holds a port for ever.",
		"See them: tcpward flows 'finding time-wait-pinning', and the ladder of one: tcpward flow TUPLE. Drop what the "
		"source sends to connections in TIME-WAIT, by a policy with a rule invalid: [fin-time-wait, ack-time-wait] "
		"(tcpward-policy(5)); they go 60 s after the last segment.",
		"RFC 9293 section 3.10.7.4 (TIME-WAIT: only a repeated FIN restarts 2MSL there; Linux takes any ACK)",
		"A peer whose ACKs are lost repeats its FIN a few times.",
	},
	[FINDING_PORT_EXHAUSTION] = {
		"One client uses port-exhaustion.share of its local ports for connections to one service, in whatever state. When "
		"none is left, connect() fails with EADDRNOTAVAIL. The range is Linux's default, 28232 ports; who holds more "
		"must have a wider one, and is held against 64512.",
		"On the client: ss -tan dst SERVICE | awk '{print $1}' | sort | uniq -c tells in which states they are. Mostly "
		"TIME-WAIT: connections should be used again, or net.ipv4.tcp_tw_reuse=1. Mostly ESTABLISHED: a leak, or a pool "
		"without a limit. At once: a wider net.ipv4.ip_local_port_range, or another address for the client or service.",
		"RFC 6056 section 2 (ephemeral ports); RFC 9293 section 3.6.1 (why ports stay occupied)",
		"A NAT gateway is one client with the ports of many: its range is wider, and its own tables tell better.",
	},
	[FINDING_CLOSE_WAIT_LEAK] = {
		"One end has got the other's FIN, and its application has neither closed nor sent anything for "
		"close-wait-leak.after: it forgot the socket. There is no time-out for CLOSE-WAIT; each such socket stays until "
		"the process ends. At close-wait-leak.many of one service, and growing for 30 s, it will run out of file "
		"descriptors: a warning.",
		"On the host in CLOSE-WAIT: ss -tnp state close-wait shows the process; count its descriptors in /proc/PID/fd. It is "
		"a bug of the application: a missing close() after read() returned 0. Restarting it helps until it leaks again.",
		"RFC 9293 section 3.6 (case 2: the peer closed first)",
		"A client that half-closes on purpose and waits for a long answer: as long as data flows it is not idle. Connection "
		"pools that notice a closed connection only when they use it the next time.",
	},
	[FINDING_FIN_WAIT_2_HANG] = {
		"One end has closed and its FIN is acknowledged, and the peer has not sent its own FIN for fin-wait-2-hang.after: "
		"the other side of a CLOSE-WAIT leak, seen from here. A socket whose application has closed goes after "
		"tcp_fin_timeout; one that was only shut down for writing waits without limit.",
		"Look at the other end: ss -tnp state close-wait there. On this host: ss -tn -o state fin-wait-2 (timer: it will go "
		"by itself), sysctl net.ipv4.tcp_fin_timeout.",
		"RFC 9293 section 3.6 (case 1), section 3.6.1 (half-closed connections)",
		"Programs that shut down one direction and read on: rsh, nc -N, some proxies.",
	},
	[FINDING_LAST_ACK_FLOOD] = {
		"last-ack-flood.max connections of one service have been in LAST-ACK for more than last-ack-flood.after, or more "
		"than last-ack-flood.share of its flows (and at least 100) are in LAST-ACK or CLOSING; and for 10 s more keep "
		"coming. The clients close, take the service's FIN, and do not acknowledge it: each costs the server nine FINs "
		"and memory for almost two minutes.",
		"On the server: ss -tn state last-ack | wc -l, and who: tcpward flows 'state last-ack'. The kernel ends each by "
		"itself; sysctl net.ipv4.tcp_orphan_retries and net.ipv4.tcp_max_orphans say how soon and how many. Drop the SYNs "
		"of sources that do it.",
		"RFC 9293 section 3.6 (closing), section 3.10.8 (retransmission time-out)",
		"Many clients that lose power, or a link that fails, just after they closed: one heap that only shrinks. It is not "
		"told, since no more come.",
	},
	[FINDING_BACKSCATTER] = {
		"backscatter.peers different ends sent SYN-ACKs in 10 s to an address that sent them no SYN: somebody uses it as the "
		"forged source of a SYN flood against those ends, and their answers come here.",
		"Nothing here is broken: the host answers with RSTs, which is right, and helps the victims. If the load hurts, drop "
		"SYN-ACKs of no connection before they reach it. Tell the owners of the ends, and your provider: source addresses "
		"should be filtered where they enter the net.",
		"RFC 9293 section 3.10.7.1 (CLOSED answers with a RST); RFC 2827 (BCP 38: ingress filtering)",
		"Asymmetric routing: the SYNs leave along another way. Then ACKs follow, and nothing is raised. For two minutes "
		"after the start (out-of-state-flood.grace) neither.",
	},
	[FINDING_REFLECTION] = {
		"A source has reflection.max handshakes half open whose SYN-ACKs are sent again and again, and none that completed "
		"in 60 s. It probably never sent those SYNs: somebody forges its address, so that this service sends several "
		"SYN-ACKs for each SYN to it. It is the victim, and the service the tool.",
		"Do not block or report the address as an attacker. Send less: sysctl net.ipv4.tcp_synack_retries=2 on the service, "
		"and limit SYNs per source. SYN cookies do not help the victim: they answer once more.",
		"RFC 4987 section 2; RFC 2827 (BCP 38: ingress filtering)",
		"A source that does it itself, from a filtered or raw socket, looks the same on the wire. A client behind a filter "
		"that drops SYN-ACKs would have its handshakes fail everywhere.",
	},
	[FINDING_OUT_OF_STATE_FLOOD] = {
		"So many segments fit no state of their connection, or no connection at all: out-of-state-flood.max in 10 s by one "
		"source or to one service, or out-of-state-flood.acks of no connection in 10 s by all. An ACK or RST flood looks "
		"like this: each costs the server a look-up and a RST.",
		"tcpward stat sources and stat services tell who and where; nstat -az TcpOutRsts tells how many RSTs the server "
		"sends. A stateful filter in front that drops what belongs to no connection (nft: ct state invalid drop) takes "
		"the load away, and so does a policy with state-check and a rule invalid: no-flow (tcpward-policy(5)). The source's "
		"address may be forged: see that it completes handshakes (stat sources) before you block it.",
		"RFC 9293 section 3.5.2 (RST generation), section 3.10.7.1 (CLOSED)",
		"Connections that were open before tcpward started are met mid-way: hence out-of-state-flood.grace. A router or load "
		"balancer that moves connections to this host. A full flow table, or a mirror that loses segments: nothing is "
		"raised, and `tcpward status` says so.",
	},
	[FINDING_BAD_FLAGS] = {
		"One source sent bad-flags.max segments in 60 s whose control bits no stack sends: none at all (NULL), FIN without "
		"ACK, FIN with PSH and URG (XMAS), SYN with FIN or RST. Scanners use them to tell operating systems apart and to "
		"pass simple filters.",
		"Drop them: no connection needs them (a policy with a rule invalid: bad-flags, tcpward-policy(5); nft: tcp flags & "
		"(fin|syn|rst|ack) == 0 drop, tcp flags & (fin|syn) == (fin|syn) drop, tcp flags & (syn|rst) == (syn|rst) drop). "
		"Look for a port-scan finding about the same source. Its "
		"address may be forged: see that it completes handshakes (tcpward stat sources) before you block it.",
		"RFC 9293 section 3.1 (control bits), section 3.10.7",
		"A broken middlebox or network card that changes the header: then the sender's connections work badly altogether. "
		"ECN bits (CWR, ECE, AE) are not counted: they are legal. Somebody else who sends them in the name of this address.",
	},
	[FINDING_PORT_SCAN] = {
		"One source tried port-scan.targets different targets (address and port) in vain: refused, unanswered, or with "
		"impossible control bits (so many in 60 s too); and fewer than port-scan.success of its attempts in 60 s "
		"succeed. Different targets are counted (the last window of 60 s and the present one), not attempts.",
		"tcpward flows state all and src ADDR shows what it looks for, and which targets answer. Refused flows are gone "
		"after 10 s: then tcpward watch src ADDR shows new ones, and tcpward explain ID a few samples. Block the source "
		"for a while (tcpward block add ADDRESS --for 10m --reason scan), if it completes handshakes (tcpward stat "
		"sources): else its address may be forged, and the block would hit somebody else. If it is your own, it is an "
		"inventory or monitoring system, or infected.",
		"RFC 9293 section 3.10.7.1 (a closed port answers with a RST), section 3.5.2",
		"Peer-to-peer programs and monitoring try many targets, but most succeed. A dead service with many clients is one "
		"target for each of them. A host whose DNS or default route fails tries few different targets. Who resets what "
		"was answered (Happy Eyeballs, a balancer's health checks) is not told for that alone. A client whose IPv6 leads "
		"nowhere repeats its SYNs to one port of many silent hosts: told as information. Anybody can send SYNs in the name of "
		"another.",
	},
	[FINDING_ZERO_WINDOW] = {
		"A receiver has kept its window shut for zero-window.after, so that the sender must hold its data and probe; or one "
		"source opened zero-window.flows connections in 60 s and shut the window at once (\"sockstress\"): each holds a "
		"socket and its buffers in the server for as long as it likes.",
		"Of one flow: the receiver's application does not read; on its host ss -tnpm shows a full Recv-Q and the process. Of "
		"many flows of one source: close them (ss -K dst ADDRESS) and drop its SYNs (tcpward block add ADDRESS); a policy does "
		"it by itself: findings: {finding: zero-window, then: close}, or then: block (tcpward-policy(5)). A sender can bound "
		"the wait with TCP_USER_TIMEOUT.",
		"RFC 9293 section 3.8.6.1 (zero-window probing); RFC 6429 (a sender may give up)",
		"A slow consumer, a suspended virtual machine or a stopped process (Ctrl-Z), a printer without paper.",
	},
	[FINDING_RST_INJECTION] = {
		"rst-injection.resets RSTs came into one flow that the peer would not have sent: inside the window but not exact, or "
		"outside it; or a RST that fitted, after which its sender went on as if nothing were. Somebody who can guess or "
		"see the connection tries to end it.",
		"See them: tcpward flows 'finding rst-injection', and the ladder of one: tcpward flow TUPLE. Linux answers inexact "
		"RSTs with a challenge ACK and ignores them, so the connection lives. Is there a middlebox that resets "
		"connections on purpose (firewall, IPS, parental filter)? Encrypting TCP itself (IPsec, TCP-AO) stops it.",
		"RFC 5961 section 3",
		"Late RSTs of the real peer after it closed with data unread; load balancers that time out. Where segments are lost "
		"on a mirror nothing is raised.",
	},
	[FINDING_SYN_INJECTION] = {
		"A SYN came into an open connection in the name of one end, which then went on as if it had sent none: so it had not. "
		"A blind attacker's SYN makes an old stack reset the connection; a current one answers with a challenge ACK.",
		"See them: tcpward flows 'finding syn-injection'. Linux is not harmed; check old or embedded stacks at either end. "
		"Source addresses of your own network that come from outside should be dropped where they enter.",
		"RFC 5961 section 4",
		"A network that duplicates packets delivers the connection's own SYN once more, with the same sequence number: that "
		"is a repetition and not counted. A peer that restarts with the same port sends a SYN and goes on from there.",
	},
	[FINDING_RETRANSMISSION] = {
		"Much is sent again: more than retransmission.share of a flow's segments (and at least retransmission.min), or "
		"retransmission.handshake of a source's SYNs or of a service's SYN-ACKs in 10 s, of at least 50. Loss, or an end "
		"that is too slow to answer.",
		"Is it one path or one host? tcpward flows 'finding retransmission' shows which ends have it in common. Look for "
		"drops: ip -s link, ethtool -S, nstat -az TcpRetransSegs TcpExtTCPLostRetransmit; for a duplex mismatch, a full "
		"queue, a wrong MTU (large segments only).",
		"RFC 9293 section 3.8.1; RFC 6298 (retransmission timer)",
		"A tap that sees each packet twice. A full accept queue or a SYN flood makes SYN-ACKs come again: then those are "
		"told. Where nothing completes at all it is no loss, but a stale SYN or a scan.",
	},
	[FINDING_ABORT_RATE] = {
		"abort-rate.min connections of one service ended with a RST in 10 s, and they are more than abort-rate.share of all "
		"that ended. An application that closes with data unread, or with SO_LINGER 0, resets; so does one that crashes.",
		"Who sends the RSTs? tcpward flows 'flag RESET' shows the last states. RSTs of the server: look into its log for "
		"crashes, limits and time-outs. RSTs of the clients: they give up, look at the service's response times.",
		"RFC 9293 section 3.6.1 (SHLD-3: a RST when data is lost), section 3.10.5 (ABORT)",
		"Health checks that reset instead of closing, and HTTP clients that drop what they do not need: usual, and told as "
		"information only.",
	},
	[FINDING_SYN_DATA] = {
		"One source sent syn-data.max SYNs in 10 s with data that the service did not accept. Data in a SYN is legal, and "
		"useful with TCP Fast Open; without it the server must ignore it, and it makes a SYN flood larger.",
		"If you offer Fast Open: has the cookie key changed (sysctl net.ipv4.tcp_fastopen_key must be the same on all servers "
		"of one address)? If you do not, limit the SYNs of that source, or drop those with data (a policy with a rule "
		"invalid: syn-data, tcpward-policy(5)); its address may be forged: see that it completes handshakes (tcpward stat "
		"sources) before you block it.",
		"RFC 7413 section 2 (data in SYN); RFC 9293 section 3.10.7.2",
		"Fast Open clients whose cookie has expired: they try once each, and get a new one.",
	},
};

const char *finding_meaning(unsigned kind)
{
	return kind < FINDING_COUNT ? words[kind].meaning : "";
}

const char *finding_advice(unsigned kind)
{
	return kind < FINDING_COUNT ? words[kind].advice : "";
}

const char *finding_reference(unsigned kind)
{
	return kind < FINDING_COUNT ? words[kind].reference : "";
}

const char *finding_lookalikes(unsigned kind)
{
	return kind < FINDING_COUNT ? words[kind].lookalikes : "";
}
