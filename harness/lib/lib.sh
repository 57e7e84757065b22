# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# Shared by all shell scripts of the harness: paths, progress messages, errors and the
# check of arguments. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
V=${V:-6.12}
BUILD=$TOP/build
KBUILD=$BUILD/$V
KDATA=$TOP/kernels/$V
LOGS=$BUILD/logs
BASE=$KBUILD/base
SRC=$KBUILD/src

# V is a kernel here and verbosity in kbuild, so variables of the make that started this
# script must not reach the kernel's make.
export V
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
# Nor may the settings with which somebody builds other kernels. Only make kunit reads
# ARCH, and hands it on as an argument.
export -n ARCH
unset CROSS_COMPILE KBUILD_OUTPUT LLVM

# Elapsed time counts from the first script of a run, so that the times in one output
# can be compared.
export HARNESS_START=${HARNESS_START:-$(date +%s)}

elapsed() {
	local s=$(($(date +%s) - HARNESS_START))
	printf '%d:%02d' $((s / 60)) $((s % 60))
}

say() {
	printf '[%5s] %s\n' "$(elapsed)" "$*"
}

# complain WHAT-IS-WRONG [HOW-TO-GET-IT]...
complain() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	shift
	local hint
	for hint in "$@"; do
		printf '    %s\n' "$hint" >&2
	done
}

# die WHAT-IS-WRONG [HOW-TO-GET-IT]...: complain and exit with status 1.
die() {
	complain "$@"
	exit 1
}

# refuse WHAT-IS-WRONG [HINT]...: complain about the command line and exit with status
# 2, as Python's argparse does.
refuse() {
	complain "$@"
	printf '%s\n    harness/%s --help says more\n' "${USAGE%%$'\n'*}" "${0##*/}" >&2
	exit 2
}

# among WORD LIST...: succeed if WORD is in the list.
among() {
	local word=$1 one
	shift
	for one in "$@"; do
		[ "$one" != "$word" ] || return 0
	done
	return 1
}

# check_kernel NAME: refuse what kernels/$V/kernels does not list.
check_kernel() {
	local known
	mapfile -t known < <(awk '!/^#/ && NF { print $1 }' "$KDATA/kernels")
	among "$1" "${known[@]}" ||
		refuse "no kernel is named '$1'" "known: ${known[*]}"
}

# check_value NAME KIND: refuse a value of the variable NAME that is not of the given
# kind. N is a number from 1 on, 1 is a switch, NAME is a kernel, GLOB is a name with the
# shell's wildcards, 'A B' is a set of words of which any may be given. Other kinds are
# checked where they are used. An empty variable counts as unset.
check_value() {
	local value=${!1:-} word words
	[ -n "$value" ] || return 0
	case $2 in
	N)
		[[ $value =~ ^[1-9][0-9]{0,11}$ ]] ||
			refuse "$1=$value: a number from 1 on is needed"
		;;
	1)
		[ "$value" = 1 ] || refuse "$1=$value: only 1 is understood"
		;;
	GLOB)
		[[ $value =~ ^[A-Za-z0-9_*?-]+$ ]] ||
			refuse "$1=$value: a name is needed, which may have the wildcards * and ?"
		;;
	NAME)
		check_kernel "$value"
		;;
	\'*\')
		read -ra words <<<"${2//\'/}"
		for word in $value; do
			among "$word" "${words[@]}" ||
				refuse "$1=$value: '$word' is unknown" "known: ${words[*]}"
		done
		[[ $value =~ [^[:space:]] ]] || refuse "$1 is blank" "known: ${words[*]}"
		;;
	esac
}

# check_variables: refuse unknown values of the variables that USAGE names, in lines like
# "  JOBS=N  how many jobs", and of those that all commands have in common.
check_variables() {
	local line
	local -a known
	mapfile -t known < <(cd "$TOP/kernels" && printf '%s\n' *)
	among "$V" "${known[@]}" ||
		refuse "V=$V: kernels/$V does not exist" "known: ${known[*]}"
	if [ -n "${KDIR:-}" ] && [ ! -f "$KDIR/Kbuild" ]; then
		refuse "KDIR=$KDIR is not a kernel source tree"
	fi
	check_value JOBS N
	check_value KEEP_GOING 1
	check_value SKIP_DEPS 1
	check_value ACCEL "'kvm tcg'"
	while IFS= read -r line; do
		if [[ $line =~ ^\ \ ([A-Z_]+)=(\'[^\']*\'|[^ ]+) ]]; then
			check_value "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
		fi
	done <<<"$USAGE"
}

# check_arguments ARGS...: refuse arguments that the first line of USAGE does not allow.
# That line looks like "usage: harness/x [--flag] [--option VALUE] NAME [a|b|c]
# [OTHER...]". NAME must be a kernel, a|b|c one of these words. The command itself has to
# check any OTHER argument.
check_arguments() {
	local line=${USAGE%%$'\n'*} item arg
	local -a items flags options words listed
	local least=0 most=0 number=0
	line=${line#usage: }
	# An option and its value stay together.
	line=$(sed -E 's/\[(-[^] ]*) ([^]]*)\]/[\1=\2]/g' <<<"$line")
	read -ra items <<<"$line"
	for item in "${items[@]:1}"; do
		case $item in
		\[-*=*) item=${item#\[} && options+=("${item%%=*}") ;;
		\[-*) item=${item#\[} && flags+=("${item%\]}") ;;
		\[*...\]) most=1000 ;;
		\[*) words+=("$item") && most=$((most + 1)) ;;
		*) words+=("$item") && least=$((least + 1)) && most=$((most + 1)) ;;
		esac
	done

	while [ $# -gt 0 ]; do
		arg=$1
		shift
		if among "$arg" "${flags[@]}"; then
			continue
		elif among "$arg" "${options[@]}"; then
			[ -n "${1:-}" ] || refuse "$arg needs a value"
			shift
			continue
		fi
		case $arg in
		-*) refuse "the option '$arg' is unknown" ;;
		esac
		[ $number -lt $most ] || refuse "'$arg' is not understood"
		item=${words[$number]:-}
		number=$((number + 1))
		case $item in
		NAME) check_kernel "$arg" ;;
		\[*\|*)
			item=${item:1:-1}
			IFS='|' read -ra listed <<<"$item"
			among "$arg" "${listed[@]}" ||
				refuse "'$arg' is none of ${item//|/, }"
			;;
		esac
	done
	[ $number -ge $least ] || refuse "the argument ${words[$number]} is missing"
}

# usage TEXT ARGS...: print TEXT and exit if ARGS ask for help; refuse arguments and
# values of variables that TEXT does not allow. Each command calls this first, and makes,
# builds or installs nothing before.
usage() {
	local arg
	USAGE=$1
	shift
	for arg in "$@"; do
		case $arg in
		-h | --help)
			printf '%s\n' "$USAGE"
			exit 0
			;;
		esac
	done
	check_variables
	check_arguments "$@"
	mkdir -p "$LOGS" "$KBUILD"
}

need() {
	local tool=$1 package=${2:-$1}
	command -v "$tool" >/dev/null ||
		die "the program '$tool' is missing" "apt-get install $package"
}

# run_logged LOG COMMAND...: run a command with its output in LOG. If it fails, show the
# end of LOG and exit.
run_logged() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "'$1' failed" "the whole output is in ${log#"$TOP"/}"
	fi
}

# not_stuck FRAGMENT CONFIG: print the options that a fragment asks for and that the
# configuration made from it lacks. Kconfig silently drops an option whose dependencies
# are not met.
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
