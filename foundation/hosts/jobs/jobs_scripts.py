"""The constant shell scripts by which jobs are started, followed and ended; all POSIX sh.

Everything that varies comes as an argument. What they print first is the job's standing, as
`key=value` lines up to an empty one; then the journal's entries or the log.
"""

from __future__ import annotations

from typing import Final

NO_MEMORY: Final = 91
"""Exit status: no file system in memory could be found for the standard input."""
NO_ROOM: Final = 92
"""Exit status: the job's files could not be written."""
CUT_SHORT: Final = 93
"""Exit status: the standard input did not arrive whole, so nothing was started."""
FENCED: Final = 95
"""Exit status: another holds the machine's lock, so nothing was started."""

KIND: Final = r"""
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] &&
   command -v systemd-run >/dev/null && command -v journalctl >/dev/null &&
   [ -e "/var/log/journal/$(cat /etc/machine-id)/system.journal" ]; then
    systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/systemd \1/p'
fi
"""
"""Prints `systemd VERSION` where a job can be a unit whose journal is kept on disk."""

# PID 1's start tells one boot from the next where containers share their host's boot id.
_BOOT: Final = r"""
boot() { printf '%s.%s' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" \
    "$(sed 's/.*) //' /proc/1/stat 2>/dev/null | cut -d' ' -f20)"; }
"""

FENCE: Final = r"""
fenced() {
    [ -n "$1" ] || return 1
    if [ -e /var/lib/sitewright/lock ]; then
        ! head -n 1 /var/lib/sitewright/lock | grep -qxF -- "$1"
    else grep -q -- "^$1 " /var/lib/sitewright/put-out 2>/dev/null; fi
}
"""
"""Whether the machine's lock (see `machine_lock`) is another's than that of the token, or was taken
over from it by one who has ended since."""

# --- systemd ----------------------------------------------------------------------------------

_UNIT: Final = r"""
umask 077
id=$1; shift
d=/run/sitewright/jobs/$id
shown() { systemctl show -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus \
    "$id.service" 2>/dev/null; }
standing() {
    unit=$(shown); echo "$unit"
    # A machine that goes down ends its units before its logins: that is no end of their own.
    case $unit in *SubState=running*|*ExecMainCode=1*) ;;
    *) [ "$(systemctl is-system-running 2>/dev/null)" != stopping ] || echo GoingDown=yes ;; esac
    [ ! -e "$d/started" ] || echo Started=yes
    [ ! -e "$d/stopped" ] || echo Stopped=yes
    echo "Nonce=$(cat "$d/nonce" 2>/dev/null)"
    echo "From=${cursor-}"
    echo "Boot=$(boot)"
    echo
}
"""

# The shell keeps a lock for the job's life, so that its end wakes whoever waits for the lock;
# its last line in the same stream tells that every line before it has been read.
_WRAPPER: Final = (
    'exec 9>"$1" && flock 9 2>/dev/null; m=$2; shift 2; "$@" 9>&-; s=$?; '
    "printf '\\n%s\\n' \"$m\"; exit $s"
)

# An interval of 0 is what systemd calls unset, so that journald's own limit would drop lines: a
# limit that is never reached stands for none.
_BEGIN: Final = (
    FENCE
    + r"""
timeout=$1 folder=$2 nonce=$3 size=$4 fence=$5 mark=$6; shift 6
begin() {
    fenced "$fence" && return 95
    mkdir -p "${d%/*}" || return 92
    if ! mkdir "$d" 2>/dev/null; then
        if [ -e "$d/started" ] || shown | grep -q '^LoadState=loaded'; then return 0; fi
        [ -d "$d" ] || return 92
    fi
    input=null
    if [ "$size" -ge 0 ]; then
        case $(stat -f -c %T "$d") in tmpfs|ramfs) ;; *) return 91;; esac
        cat >"$d/stdin" || return 92
        [ "$(wc -c <"$d/stdin")" -eq "$size" ] || return 93
        input=file:$d/stdin
    fi
    printf %s "$nonce" >"$d/nonce" || return 92
    [ "$mark" = 0 ] ||
        journalctl -q -n 0 --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p' >"$d/cursor"
    : >"$d/lock"
    systemd-run --quiet --no-ask-password --unit="$id" --description="Sitewright job $id" \
        -p Type=exec -p RemainAfterExit=yes -p User=root -p IgnoreSIGPIPE=no \
        -p "RuntimeMaxSec=$timeout" -p TimeoutStopSec=10 -p "WorkingDirectory=$folder" \
        -p "StandardInput=$input" -p StandardOutput=journal -p StandardError=journal \
        -p SyslogIdentifier=sitewright -p SyslogLevelPrefix=no \
        -p LogRateLimitIntervalSec=1us -p LogRateLimitBurst=10000000 \
        --setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin \
        --setenv=LANG=C.UTF-8 \
        -- /bin/sh -c '"""
    + _WRAPPER.replace("$", "$$").replace("'", "'\\''")
    + r"""' sh "$d/lock" "sitewright: the job ended $nonce" "$@"
    status=$?
    if [ $status = 0 ] || shown | grep -q '^LoadState=loaded'; then : >"$d/started"; return 0; fi
    return $status
}
trap 'rm -f "$d/stdin"' EXIT
begin "$@"; begun=$?
"""
)

UNIT_START: Final = _BOOT + _UNIT + _BEGIN + "exit $begun\n"
"""id, time-out, folder, nonce, size of the standard input or -1, fence or "", whether to mark the
place in the journal (0, 1), command with `$` doubled."""

# Not --after-cursor: where the entry at the cursor is another unit's, that leaves out the first
# entry that matches (systemd 252), which is the job's first line if it overtook "Started". The
# entry at the cursor comes too, and the reader passes over it.
_JOURNAL: Final = r"""
entries() {
    exec journalctl --quiet --no-pager --output=json --all \
        --output-fields=MESSAGE,PRIORITY,_PID,_SYSTEMD_UNIT,UNIT,_TRANSPORT,_STREAM_ID,_LINE_BREAK \
        ${cursor:+"--cursor=$cursor"} "$@"
}
"""

_UNITS: Final = r"""
cursor=$1; shift
if [ -z "$cursor" ]; then
    cursor=$(cat "$d/cursor" 2>/dev/null)
    [ -n "$cursor" ] || set --
fi
n=$#
while [ "$n" -gt 0 ]; do u=$1; shift; set -- "$@" -u "$u"; n=$((n - 1)); done
"""

_FOLLOW: Final = r"""
runs() { shown | grep -q '^SubState=\(start\|running\)'; }
held() { if command -v flock >/dev/null; then ! flock -sn "$d/lock" true; else runs; fi; }
over() { if command -v flock >/dev/null; then flock -s "$d/lock" true
    else while runs; do sleep 0.1; done; fi; }
if [ -e "$d/lock" ] && held; then
    echo Follow=yes; echo "Nonce=$(cat "$d/nonce" 2>/dev/null)"; echo "From=$cursor"; echo
    entries -u "$id.service" "$@" --follow --no-tail & p=$!
    { over; kill $p; } </dev/null >/dev/null 2>&1 & w=$!
    trap 'kill $p $w 2>/dev/null' EXIT HUP TERM INT
    wait $p 2>/dev/null
    exit 0
fi
# Its shell may not have taken the lock yet, or systemd not have seen its end.
n=0
while [ $n -lt 5 ] && [ -e "$d/lock" ] && runs; do sleep 0.02; n=$((n + 1)); done
standing
[ "$sync" = 0 ] || journalctl --sync
entries -u "$id.service" "$@"
"""

UNIT_FOLLOW: Final = (
    _BOOT
    + _UNIT
    + r"""
sync=$1; shift
"""
    + _JOURNAL
    + _UNITS
    + _FOLLOW
)
"""id, whether to sync (0, 1), cursor or "", units. While the job runs: `Follow=yes` and entries as
they come, until it ends. Else its standing and the entries there are."""

UNIT_START_AND_FOLLOW: Final = (
    _BOOT
    + _UNIT
    + _BEGIN
    + r"""
echo "Begun=$begun"; echo
[ $begun = 0 ] || exit
rm -f "$d/stdin"
trap - EXIT
sync=0 cursor=
set --
# A short command ends in this time, and then one look shows all of it.
if command -v flock >/dev/null; then flock -s -w 0.04 "$d/lock" true 2>/dev/null; fi
"""
    + _JOURNAL
    + _FOLLOW
)
"""The arguments of `UNIT_START`: its exit status as `Begun=`, and an empty line; then, where that
is 0, what `UNIT_FOLLOW` prints."""

UNIT_STATUS: Final = _BOOT + _UNIT + "standing\n"
"""id."""

KIND_AND_STATUS: Final = "kind=$(" + KIND + ')\necho "$kind"\n' + UNIT_STATUS
"""id: what `KIND` prints, or an empty line; then the standing of a unit."""

UNIT_STOP: Final = (
    _BOOT
    + _UNIT
    + r"""
if shown | grep -q '^SubState=\(start\|running\|start-.*\)$'; then
    mkdir -p "$d" && : >"$d/stopped"
    systemctl stop "$id.service"
fi
exit 0
"""
)
"""id."""

UNIT_FORGET: Final = (
    _BOOT
    + _UNIT
    + r"""
systemctl stop "$id.service" 2>/dev/null
systemctl reset-failed "$id.service" 2>/dev/null
rm -rf "$d"
exit 0
"""
)
"""id."""

JOURNAL_FOLLOW: Final = (
    _JOURNAL
    + r"""
cursor=$1; shift
n=$#
while [ "$n" -gt 0 ]; do u=$1; shift; set -- "$@" -u "$u"; n=$((n - 1)); done
if [ -n "$cursor" ]; then set -- "$@" --no-tail; else set -- "$@" --lines=0; fi
entries "$@" --follow
"""
)
"""cursor or "" for from now on, units: their entries, for ever."""

# --- without systemd --------------------------------------------------------------------------

_FILES: Final = r"""
umask 077
id=$1; shift
if [ "$(id -u)" = 0 ]; then base=/var/lib/sitewright/jobs
else
    # One that is relative counts for nothing: another folder would be meant at each login.
    case ${XDG_STATE_HOME:-} in /*) base=$XDG_STATE_HOME ;; *) base=$HOME/.local/state ;; esac
    base=$base/sitewright/jobs
fi
d=$base/$id
# Whether the job's shell lives: by its lock, or where there is no flock by its number.
alive() {
    [ -e "$d/pid" ] && [ "$(cat "$d/boot")" = "$(boot)" ] || return 1
    if command -v flock >/dev/null; then ! flock -sn "$d/lock" true
    else kill -0 "$(cat "$d/pid")" 2>/dev/null; fi
}
standing() {
    if alive; then echo Alive=yes; fi
    [ ! -e "$d/pid" ] || echo Started=yes
    [ ! -e "$d/exit" ] || echo "Exit=$(cat "$d/exit")"
    [ ! -e "$d/stopped" ] || echo Stopped=yes
    echo "Began=$(cat "$d/boot" 2>/dev/null)"
    echo "Boot=$(boot)"
    echo
}
"""

_DETACHED_WRAPPER: Final = r"""
d=$1 t=$2 w=$3; shift 3
exec 9>"$d/lock"
command -v flock >/dev/null && flock 9
echo $$ >"$d/pid.new" && mv "$d/pid.new" "$d/pid"
began=$(date +%s)
word=exit-code
if ! cd "$w"; then s=200
elif timeout --foreground 5 true 2>/dev/null; then timeout --foreground -k 10 "$t" "$@" 9>&-; s=$?
else "$@" 9>&-; s=$?; fi
case $s in 124|137) [ $(($(date +%s) - began)) -lt "${t%.*}" ] || word=timeout;; esac
echo "$s $word" >"$d/exit.new" && mv "$d/exit.new" "$d/exit"
[ $word != timeout ] || { trap "" TERM; kill -s TERM 0; sleep 1; kill -s KILL 0; }
"""

DETACHED_START: Final = (
    _BOOT
    + FENCE
    + _FILES
    + r"""
timeout=$1 folder=$2 size=$3 fence=$4; shift 4
fenced "$fence" && exit 95
[ ! -e "$d/pid" ] || exit 0
mkdir -p "$d" || exit 92
boot >"$d/boot" && : >"$d/log" || exit 92
if [ "$size" -ge 0 ]; then
    f=
    for m in /run "${XDG_RUNTIME_DIR:-/run}" /dev/shm; do
        case $(stat -f -c %T "$m" 2>/dev/null) in tmpfs|ramfs) ;; *) continue;; esac
        f=$(mktemp "$m/sitewright.XXXXXXXX" 2>/dev/null) && break
    done
    [ -n "$f" ] || exit 91
    trap 'rm -f "$f"' EXIT
    cat >"$f" || exit 92
    [ "$(wc -c <"$f")" -eq "$size" ] || exit 93
    exec 3<"$f"
    rm -f "$f"
else exec 3</dev/null; fi
wrapper='"""
    + _DETACHED_WRAPPER.replace("'", "'\\''")
    + r"""'
set -- sh -c "$wrapper" sh "$d" "$timeout" "$folder" "$@"
if command -v setsid >/dev/null; then set -- setsid "$@"; else set -- nohup "$@"; fi
# A scope of its own outlives the session even where logind ends what a session leaves behind.
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && command -v systemd-run >/dev/null; then
    set -- systemd-run --quiet --scope --unit="$id" "$@"
fi
LANG=C.UTF-8 "$@" <&3 3<&- >>"$d/log" 2>&1 &
n=0
# Some seconds, and as long as a busy machine needs while what was begun still lives.
while [ ! -e "$d/pid" ] && [ $n -lt 4500 ]; do
    [ $n -lt 500 ] || kill -0 $! 2>/dev/null || break
    sleep 0.01; n=$((n + 1))
done
[ -e "$d/pid" ] || exit 94
"""
)
"""id, time-out, folder, size of the standard input or -1, fence or "", command."""

DETACHED_FOLLOW: Final = (
    _BOOT
    + _FILES
    + r"""
[ -e "$d/log" ] && alive || exit 0
tail -c "+$1" -f "$d/log" & p=$!
{ if command -v flock; then flock -s "$d/lock" true; else while alive; do sleep 0.1; done; fi
  kill $p; } </dev/null >/dev/null 2>&1 & w=$!
trap 'kill $p $w 2>/dev/null' EXIT HUP TERM INT
wait $p 2>/dev/null
"""
)
"""id, number of the first byte (from 1): the log as it grows, until the job ends."""

DETACHED_READ: Final = (
    _BOOT
    + _FILES
    + r"""
standing
[ ! -e "$d/log" ] || tail -c "+$1" "$d/log"
"""
)
"""id, number of the first byte: the standing, then the log there is."""

DETACHED_STATUS: Final = _BOOT + _FILES + "standing\n"
"""id."""

_END: Final = r"""
if alive; then
    : >"$d/stopped"
    p=$(cat "$d/pid")
    kill -s TERM -- "-$p" 2>/dev/null
    n=0
    while alive && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
    kill -s KILL -- "-$p" 2>/dev/null
fi
"""

DETACHED_STOP: Final = _BOOT + _FILES + _END + "exit 0\n"
"""id."""

DETACHED_FORGET: Final = _BOOT + _FILES + _END + 'rm -rf "$d"\nexit 0\n'
"""id."""
