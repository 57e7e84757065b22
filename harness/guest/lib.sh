# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Shared by the guest's scripts. A suite prints KTAP to standard output and remarks to
# standard error, and exits with 0 if it could do its work.

# klog TEXT...: write a line into the kernel's log, so that messages of the kernel can be
# assigned to a suite.
klog() {
	echo "dmabuf-test: $*" >/dev/kmsg
}

# indent: turn each line of the input into one of a subtest, as soon as it is there.
# shellcheck disable=SC2016 # awk's own
indenting='{ print "    " $0; fflush() }'
indent() {
	awk "$indenting"
}

# plan N: how many results will follow.
plan() {
	tests=0
	bad=0
	echo "KTAP version 1"
	echo "1..$1"
}

# result STATUS NAME: print the result of an exit status; 4 is a skip, as in kselftest.
result() {
	tests=$((tests + 1))
	case $1 in
	0) echo "ok $tests $2" ;;
	4) echo "ok $tests $2 # SKIP ${3:-the test says so}" ;;
	*)
		echo "not ok $tests $2 # exit status $1"
		bad=$((bad + 1))
		;;
	esac
}

# end_session SID: kill what is left of a session.
end_session() {
	for e_stat in /proc/[0-9]*/stat; do
		e_pid=${e_stat#/proc/}
		e_pid=${e_pid%/stat}
		read -r e_line 2>/dev/null <"$e_stat" || continue
		# The name may have blanks: state, parent, group and session follow
		# shellcheck disable=SC2086 # a list of words
		set -- "$1" ${e_line##*) }
		[ "$5" != "$1" ] || kill -KILL "$e_pid" 2>/dev/null
	done
}

# running PID: succeed if the process exists and is no zombie.
running() {
	read -r r_line 2>/dev/null <"/proc/$1/stat" || return 1
	case ${r_line##*) } in
	Z* | X*) return 1 ;;
	esac
}

# program LIMIT NAME COMMAND...: run a program that prints TAP as a subtest. It gets a
# session of its own, so that processes which it leaves behind can be found. One that
# cannot be killed keeps the pipe open for ever: do not wait for it longer than a minute,
# and count the program as failed.
program() {
	p_limit=$1
	p_name=$2
	shift 2
	p_began=$(cut -d. -f1 /proc/uptime)
	echo "# Subtest: $p_name"
	rm -f /tmp/program.out
	mkfifo /tmp/program.out
	awk "$indenting" </tmp/program.out &
	p_indent=$!
	setsid timeout -s KILL "$p_limit" "$@" >/tmp/program.out 2>/tmp/program.stderr &
	p_session=$!
	wait $p_session
	p_status=$?
	end_session $p_session
	p_tries=0
	while running $p_indent && [ $p_tries -lt 3000 ]; do
		usleep 20000
		p_tries=$((p_tries + 1))
	done
	sed 's/^/    # stderr: /' /tmp/program.stderr
	echo "# $p_name: $(($(cut -d. -f1 /proc/uptime) - p_began)) s"
	[ $p_status != 137 ] || echo "# $p_name: killed after $p_limit s"
	if running $p_indent; then
		echo "# $p_name: left a process behind that cannot be killed"
		kill -KILL $p_indent
		p_status=125
	fi
	wait $p_indent 2>/dev/null
	result $p_status "$p_name"
}

# kunit MODULE: load a KUnit module and print its suites' results.
kunit() {
	k_module=$1
	k_dir=/sys/kernel/debug/kunit
	modprobe kunit || return 1
	ls $k_dir >/tmp/kunit.before
	modprobe "$k_module" || return 1
	k_new=
	for k_suite in "$k_dir"/*; do
		[ -d "$k_suite" ] || continue
		k_suite=$(basename "$k_suite")
		grep -qxF -- "$k_suite" /tmp/kunit.before || k_new="$k_new $k_suite"
	done
	# shellcheck disable=SC2086 # a list of words
	set -- $k_new
	if [ $# = 0 ]; then
		echo "# $k_module has no suite"
		return 1
	fi
	echo "KTAP version 1"
	echo "1..$#"
	k_number=0
	for k_suite in "$@"; do
		k_number=$((k_number + 1))
		# Each file is a document with one suite. Print its inner part, and
		# number the suite's result anew.
		sed -n -e '/^KTAP version/d' -e '/^1\.\.1$/d' \
			-e "s/^\(ok\|not ok\) [0-9]* /\1 $k_number /" -e p \
			"$k_dir/$k_suite/results"
	done
}
