#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# make install puts everything where it belongs; the manual knows every command and every option.
cd "$(dirname "$0")/../.." || exit 1
echo "# make install and uninstall below a temporary folder; commands and options of the program against man/tcpward.8"
into=$(mktemp -d)
trap 'rm -rf "$into"' EXIT

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}

make install DESTDIR="$into" PREFIX=/usr >"$into/log" 2>&1
result $? "make install" "$(tail -n1 "$into/log")"
missing=
for file in sbin/tcpward share/man/man8/tcpward.8 share/man/man7/tcpward-events.7 share/man/man7/tcpward-findings.7 \
	share/man/man5/tcpward-policy.5 share/doc/tcpward/examples/router.yaml \
	share/bash-completion/completions/tcpward share/zsh/site-functions/_tcpward \
	share/fish/vendor_completions.d/tcpward.fish; do
	[ -s "$into/usr/$file" ] || missing="$missing $file"
done
[ -z "$missing" ]
result $? "program, manual and completions are installed" "missing or empty:$missing"

# Ragged (AD=l): groff 1.23 would also tell of each line of a table with nothing in it to be stretched.
warnings() { # options
	for file in "$into"/usr/share/man/man*/*; do groff -ww -man -dAD=l -t -z "$@" "$file" 2>&1; done
}
if command -v groff >/dev/null; then
	said=$(warnings; warnings -Tutf8 -rLL=78n)
	[ -z "$said" ]
	result $? "groff warns of nothing in the manual, on paper and in 80 columns" "$(echo "$said" | head -n 2 | tr '\n' ' ')"
else
	echo "skip groff warns of nothing in the manual: no groff"
fi

complete() { # words: what bash offers for the last of them
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tcpward 2>/dev/null; echo "${COMPREPLY[*]}"' \
		"$into/usr/share/bash-completion/completions/tcpward" "$@"
}
said="$(complete tcpward fin), $(complete tcpward explain half), $(complete tcpward run eth0 --detect = abort)"
[ "$said" = "findings, half-open, abort-rate.share= abort-rate.min=" ]
result $? "bash completes commands, findings and thresholds" "$said"

page="$into/usr/share/man/man8/tcpward.8"
unknown=
for command in $("$into/usr/sbin/tcpward" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	grep -q "\\\\fB$command\\\\fR" "$page" || unknown="$unknown $command"
	for option in $("$into/usr/sbin/tcpward" "$command" --help 2>&1 | grep -oE '^ +(-[a-zA-Z0-9], )?--[a-z0-9-]+' |
		sed 's/.*--/--/'); do
		case $option in --help | --usage | --version) continue ;; esac
		sed 's/\\-/-/g' "$page" | grep -q -- "$option" || unknown="$unknown $command:$option"
	done
done
[ -z "$unknown" ]
result $? "the manual names every command and option" "not in tcpward(8):$unknown"

checks="$into/usr/share/man/man7/tcpward-events.7"
unknown=
for name in $(cat user/ward/*.c | tr '\n' ' ' | grep -oE 'check_add\([a-z_]+, "[a-z-]+"' | sed 's/.*"\(.*\)"/\1/' | sort -u); do
	sed 's/\\-/-/g' "$checks" | tr '\n' ' ' | grep -qE "[ .,]$name[,.;]" || unknown="$unknown $name"
done
[ -z "$unknown" ]
result $? "the manual names every check of doctor" "not in tcpward-events(7):$unknown"

make uninstall DESTDIR="$into" PREFIX=/usr >"$into/log" 2>&1
rest=$(find "$into/usr" -type f)
[ -z "$rest" ]
result $? "make uninstall" "left: $rest"
