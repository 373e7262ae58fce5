#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# peers_report.sh --write|'' FILE...: tables of what peers_bed.sh printed; with --write into docs/peers.md, and the plot.
set -u
write=$1
shift
results=build/bench-peers

tables() { # files
	sort -t: -k1,1 -k2,2n <<<"$(printf '%s\n' "$@")" | xargs cat | awk -v medians="$results/medians" '
function median(list, n,   i, j, t) { sort(list, n); return n ? list[int((n + 1) / 2)] : "" }
function sort(list, n,   i, j, t) {
	for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j >= 1 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
}
function short(n) { return n >= 1000000 ? n / 1000000 " M" : n >= 1000 ? n / 1000 " k" : n }
# What stands before the peer: the table; the peer: the row; the size: the column
function see(kind, size, scenario, peer,   t) {
	t = kind " " scenario
	if (!(t in tables)) { tables[t] = ++table_count; table[table_count] = t }
	if (!((t, size) in sizes)) { sizes[t, size] = 1; column[t, ++columns[t]] = size }
	if (!((t, peer) in peers)) { peers[t, peer] = 1; row[t, ++rows[t]] = peer }
	return t SUBSEP peer SUBSEP size
}
$1 == "turn" { c = see($2, $3, $4, $5); rate[c, ++turns[c]] = $6; passed[c] += $7; answered[c] += $8; asked[c] += $9 }
$1 == "ms" { c = see($2, $3, $4, $5); ms[c, ++times[c]] = $6 }
$1 == "skip" { why = $6; for (i = 7; i <= NF; i++) why = why " " $i; skipped[++skips] = "* " $5 ", " $2 " " short($3) ": " why }
function rate_of(c,   i, list) {
	if (!turns[c]) return "-"
	for (i = 1; i <= turns[c]; i++) list[i] = rate[c, i]
	return sprintf("%d", (median(list, turns[c]) + 500) / 1000)
}
function latency_of(c,   i, list, n) {
	if (!turns[c]) return "-"
	if (!(n = times[c])) return "none of " asked[c]
	for (i = 1; i <= n; i++) list[i] = ms[c, i]
	sort(list, n)
	return sprintf("%.2f / %.2f", list[int((n + 1) / 2)], list[int((n * 99 + 99) / 100)]) \
		(answered[c] < asked[c] ? sprintf(" (%d of %d)", answered[c], asked[c]) : "")
}
END {
	title["forward established"] = "Open connections, forwarded: ACKs in order, by number of connections"
	title["terminate established"] = "Open connections of the host itself, by their number"
	title["flood ack-flood"] = "Flood of ACKs of no connection, by number of open connections beside it"
	title["flood syn-flood"] = "Flood of SYNs from spoofed sources, by number of open connections beside it"
	title["block blocked"] = "SYNs of blocked sources, by entries of the list"
	title["rules established"] = "Open connections (10 k), forwarded, by number of rules that do not match"
	title["rules ack-flood"] = "ACKs of no connection to a router, by number of rules that do not match"
	for (k = 1; k <= table_count; k++) {
		t = table[k]
		printf "## %s\n\n|", title[t]
		for (j = 1; j <= columns[t]; j++) printf " | %s: 1000/s", short(column[t, j])
		for (j = 1; j <= columns[t]; j++) printf " | %s: ms, p50 / p99", short(column[t, j])
		printf " | got through |\n|---|"
		for (j = 1; j <= 2 * columns[t] + 1; j++) printf "---|"
		printf "\n"
		for (i = 1; i <= rows[t]; i++) {
			p = row[t, i]
			printf "| %s", p
			for (j = 1; j <= columns[t]; j++) {
				r = rate_of(t SUBSEP p SUBSEP column[t, j])
				printf " | %s", r
				if (r != "-") print t, p, column[t, j], r >medians
			}
			for (j = 1; j <= columns[t]; j++) printf " | %s", latency_of(t SUBSEP p SUBSEP column[t, j])
			n = got = 0
			for (j = 1; j <= columns[t]; j++) { c = t SUBSEP p SUBSEP column[t, j]; n += turns[c]; got += passed[c] }
			printf " | %s |\n", n ? sprintf("%.0f %%", got / n / 10) : "-"
		}
		print ""
	}
	if (skips) { print "## Not measured\n"; for (i = 1; i <= skips; i++) print skipped[i]; print "" }
}'
}

# Rates of one table: a line for each peer, a column for each size
plot() { # file
	cat <<-END
		set terminal svg size 1000,720 font "sans,12" background "white"
		set output "$1"
		set multiplot layout 2,2 title "One core, generator included: thousand segments a second"
		set key right top
		set yrange [0:*]
		set grid y
		set logscale x
		set format x "%.0s %c"
		set xrange [7000:1500000]
		set title "open connections, forwarded, by their number"
		$(lines "forward established")
		set title "open connections of the host itself, by their number"
		$(lines "terminate established")
		unset logscale x
		set xrange [-0.6:*]
		set style data histogram
		set style histogram clustered gap 1
		set style fill solid 0.8
		set xtics rotate by -25 format "%s"
		set title "floods, $(smallest flood) open connections beside them"
		$(bars "flood ack-flood" "flood syn-flood")
		set title "SYNs of blocked sources, by entries of the list"
		$(bars_by_size "block blocked")
	END
}
smallest() { awk -v k="$1" '$1 == k && (!n || $4 < n) { n = $4 } END { print n + 0 }' $results/medians; }
of() { awk -v t="$1" -v p="$2" -v n="${3:-}" '$1 " " $2 == t && (p == "" || $3 == p) && (n == "" || $4 == n)' $results/medians; }
lines() { # table
	local p words=''
	for p in $(of "$1" '' | awk '!seen[$3]++ { print $3 }'); do
		of "$1" "$p" | awk '{ print $4, $5 }' >"$results/${1// /-}-$p.dat"
		words="$words${words:+, }\"$results/${1// /-}-$p.dat\" using 1:2 with linespoints linewidth 2 title \"$p\""
	done
	[ -z "$words" ] && echo "set multiplot next" || echo "plot $words"
}
bars() { # tables: at the smallest size, side by side
	awk -v a="$1" -v b="$2" -v n="$(smallest flood)" '$4 == n && $1 " " $2 == a { x[$3] = $5 } $4 == n && $1 " " $2 == b { y[$3] = $5 }
		$4 == n && $1 == "flood" && !seen[$3]++ { order[++m] = $3 }
		END { for (i = 1; i <= m; i++) print order[i], (order[i] in x ? x[order[i]] : "-"), (order[i] in y ? y[order[i]] : "-") }' \
		$results/medians >"$results/floods.dat"
	[ -s "$results/floods.dat" ] || { echo "set multiplot next"; return; }
	echo "plot '$results/floods.dat' using 2:xtic(1) title 'ACKs of no connection', '' using 3:xtic(1) title 'spoofed SYNs'"
}
bars_by_size() { # table
	local sizes
	sizes=$(of "$1" '' | awk '{ print $4 }' | sort -nu | head -n 2 | paste -sd ' ')
	of "$1" '' | awk -v sizes="$sizes" 'BEGIN { m = split(sizes, size, " ") }
		{ if (!seen[$3]++) order[++n] = $3; rate[$3, $4] = $5 }
		END { for (i = 1; i <= n; i++) { printf "%s", order[i]
			for (j = 1; j <= m; j++) printf " %s", ((order[i], size[j]) in rate ? rate[order[i], size[j]] : "-"); print "" } }' \
		>"$results/block.dat"
	[ -s "$results/block.dat" ] || { echo "set multiplot next"; return; }
	echo "plot '$results/block.dat' using 2:xtic(1) title '${sizes%% *} entries'$([ "${sizes#* }" = "$sizes" ] || echo ", '' using 3 title '${sizes#* } entries'")"
}

rm -f $results/medians
tables "$@" >$results/tables.md
cat $results/tables.md
[ -n "$write" ] || exit 0
command -v gnuplot >/dev/null || { echo "peers: no gnuplot for docs/peers.svg: apt-get install gnuplot-nox" >&2; exit 1; }
plot docs/peers.svg >$results/plot.gp
gnuplot $results/plot.gp || exit
{
	sed '/^<!-- measured -->$/q' docs/peers.md
	echo
	echo "Measured on $(date -u +%Y-%m-%d) on a virtual machine with $(nproc) cores and Linux $(uname -r | cut -d. -f1,2), by the parts of \`make bench-peers\`"
	echo "(medians of ${ROUNDS:-3} rounds by turns)."
	echo
	cat $results/tables.md
} >$results/peers.md && cp $results/peers.md docs/peers.md
