# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# What every harness script shares: where things are, how progress is said,
# and how a script stops. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
V=${V:-6.12}
BUILD=$TOP/build
KBUILD=$BUILD/$V
KDATA=$TOP/kernels/$V
LOGS=$BUILD/logs
BASE=$KBUILD/base
SRC=$KBUILD/src

# V names a kernel here and verbosity in kbuild: our own make's variables must
# not reach the kernel's.
export V
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

# The whole run counts from its first script on, so that the times in one
# output can be compared with each other.
export HARNESS_START=${HARNESS_START:-$(date +%s)}

elapsed() {
	local s=$(($(date +%s) - HARNESS_START))
	printf '%d:%02d' $((s / 60)) $((s % 60))
}

say() {
	printf '[%5s] %s\n' "$(elapsed)" "$*"
}

# die WHAT-IS-WRONG [HOW-TO-GET-IT]...
die() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	shift
	local hint
	for hint in "$@"; do
		printf '    %s\n' "$hint" >&2
	done
	exit 1
}

# usage TEXT ARGS...: print TEXT and leave if the caller asked for help.
usage() {
	local text=$1 arg
	shift
	for arg in "$@"; do
		case $arg in
		-h | --help)
			printf '%s\n' "$text"
			exit 0
			;;
		esac
	done
}

need() {
	local tool=$1 package=${2:-$1}
	command -v "$tool" >/dev/null ||
		die "the program '$tool' is missing" "apt-get install $package"
}

# run_logged LOG COMMAND...: keep the output in LOG; show its end on failure.
run_logged() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "'$1' failed" "the whole output is in ${log#"$TOP"/}"
	fi
}

# not_stuck FRAGMENT CONFIG: print what a fragment asks for and the configuration
# made from it does not have: kconfig drops what a dependency forbids in silence.
not_stuck() {
	local line symbol
	while read -r line; do
		case $line in
		CONFIG_*=*)
			grep -qxF -- "$line" "$2" || echo "$line"
			;;
		"# CONFIG_"*" is not set")
			symbol=${line#\# }
			! grep -q "^${symbol%% *}=" "$2" || echo "$line"
			;;
		esac
	done <"$1"
}

[ -d "$KDATA" ] ||
	die "kernels/$V does not exist" "known: $(cd "$TOP/kernels" && echo *)"
mkdir -p "$LOGS" "$KBUILD"
