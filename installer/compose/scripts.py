"""The constant scripts of Compose steps: what runs on the machine, whether or not anybody watches.

Each takes its values as arguments and needs a POSIX shell, awk and Docker, nothing else. Lines for
Sitewright begin with "@" and a word; no container can write one, since its lines begin with its
name.
"""

from __future__ import annotations

from typing import Final

SETTLED: Final = 0
BAD: Final = 65
"""A service has failed, so that waiting for the others is no use."""
DAEMON_GONE: Final = 69
UP_FAILED: Final = 70
"""`docker compose up` itself said no."""
TIME_IS_UP: Final = 75

_LOOK: Final = r"""
# Writes a line for each container of the project into $work/now; fails where Docker is silent.
look() {
    ids=$(docker ps --all --quiet --no-trunc \
        --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False 2>/dev/null) || return 1
    : > "$work/now"
    # A container may go between the two commands; what the others say still counts.
    # shellcheck disable=SC2086 # ids are words
    [ -z "$ids" ] || docker inspect --format "$format" $ids 2>/dev/null | sort > "$work/now"
}
# Writes what the services have said since the last time, in order for each of them.
said() {
    before=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    docker compose --project-name "$project" logs --no-color --timestamps --since "$since" \
        --tail 1000 2>/dev/null | awk -v last="$work/last" '
        BEGIN { while ((getline line < last) > 0) { split(line, f, " "); seen[f[1]] = f[2] } }
        { sub(/^\033\[[0-9;]*[A-Za-z]/, "") }
        $2 == "|" && $3 > seen[$1] && $3 ~ /^[0-9][0-9][0-9][0-9]-.*Z$/ {
            name = $1; time = $3; seen[name] = time
            at = index($0, time " ")
            print "@log " name " " (at ? substr($0, at + length(time) + 1) : "")
        }
        END { for (name in seen) print name, seen[name] > (last ".new") }'
    [ ! -e "$work/last.new" ] || mv -f "$work/last.new" "$work/last"
    since=$before
}
"""

_MARK: Final = r"""
# Writes what the files ask for, and which container each service has: `mark SERVICES COMMAND…`.
mark() {
    wanted=$1; shift
    "$@" config --hash '*' 2>/dev/null | sed 's/^/config /' | sort
    docker ps --all --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False \
        --format 'container {{.Label "com.docker.compose.service"}} {{.ID}}' |
        awk -v wanted=" $wanted " 'index(wanted, " " $2 " ")' | sort
}
"""
"""Compose's own hash of a service differs between `config` and `up` where it has an env_file, so
what `config` said is kept beside the ids of the containers that came of it."""

MARKED: Final = (
    r"""
set -u
project=$1 services=$2; shift 2
"""
    + _MARK
    + r"""
cat "/var/lib/sitewright/compose/$project" 2>/dev/null || exit 1
echo ---
mark "$services" "$@"
"""
)
"""Arguments: the project, its services, the command; what was written down and what is now."""

UP: Final = (
    r"""
set -u
limit=$1 settle=$2 patience=$3 project=$4 services=$5 ending=$6 format=$7 up_words=$8; shift 8
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
: > "$work/told"
: > "$work/last"
begun=$(date +%s)
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
"""
    + _LOOK
    + _MARK
    + r"""
# What stands there from before says nothing of this attempt.
look && cp "$work/now" "$work/before"
[ -e "$work/before" ] || : > "$work/before"
# shellcheck disable=SC2086 # words
{ "$@" $up_words 2>&1 & echo $! > "$work/pid"; wait $!; echo $? > "$work/up"; } |
    sed -u 's/^/@up /' &
up=$!
good=0 silent=0 sick=0
while :; do
    if look; then
        silent=0
        grep -vxFf "$work/told" "$work/now" | sed 's/^/@state /'
        cp "$work/now" "$work/told"
    else
        silent=$((silent + 1))
    fi
    now=$(date +%s)
    # One word for all: bad, sick (unhealthy, and may get well), starting or good.
    ups=0
    [ ! -s "$work/up" ] || ups=1
    all=$(awk -F '|' -v ending=" $ending " -v services=" $services " -v up="$ups" '
        FILENAME ~ /before$/ { old[$1 "|" $8] = 1; next }
        index(services, " " $1 " ") == 0 { next }
        { one = "good"; seen += 1
          if ($3 == "exited") { if ($4 != 0 || index(ending, " " $1 " ") == 0) one = "bad" }
          else if ($3 == "created") one = "starting"
          else if ($3 == "restarting") one = $6 >= 5 ? "bad" : "starting"
          else if ($3 != "running") one = "bad"
          else if ($5 == "unhealthy") one = "sick"
          else if ($5 == "starting") one = "starting"
          else if ($5 != "healthy" && $6 >= 5) one = "bad"
          # One of before that ends is replaced or started again; it is judged when `up` has ended.
          if (one == "bad" && !up && (($1 "|" $8) in old)) one = "starting"
          if (one == "bad") bad = 1
          if (one == "sick") sick = 1
          if (one == "starting") starting = 1 }
        END { print bad ? "bad" : sick ? "sick" : starting || !seen ? "starting" : "good" }' \
        "$work/before" "$work/now")
    said
    code=
    if [ "$all" != sick ]; then sick=0; elif [ "$sick" = 0 ]; then sick=$now; fi
    if [ "$silent" -ge 5 ]; then code=69
    elif [ "$all" = bad ]; then code=65
    elif [ "$sick" != 0 ] && [ $((now - sick)) -ge "$patience" ]; then code=65
    elif [ -s "$work/up" ] && [ "$(cat "$work/up")" != 0 ]; then code=70
    elif [ "$all" = good ] && [ -s "$work/up" ]; then
        [ "$good" != 0 ] || good=$now
        [ $((now - good)) -lt "$settle" ] || code=0
    else good=0; fi
    [ -n "$code" ] || [ $((now - begun)) -lt "$limit" ] || code=75
    if [ -n "$code" ]; then
        if [ "$code" != 0 ] && [ ! -s "$work/up" ]; then kill "$(cat "$work/pid")" 2>/dev/null; fi
        wait "$up"
        # What is bad may have said why a moment after it was seen to be.
        look && grep -vxFf "$work/told" "$work/now" | sed 's/^/@state /'
        said
        if [ "$code" = 0 ]; then
            marks=/var/lib/sitewright/compose
            mkdir -p "$marks"
            mark "$services" "$@" > "$marks/$project.new" &&
                mv -f "$marks/$project.new" "$marks/$project"
        fi
        exit "$code"
    fi
    if [ $((now - begun)) -lt 10 ]; then sleep 0.5; else sleep 2; fi
done
"""
)
"""Arguments: seconds in all, seconds for which all must be good, seconds for which one may be
unhealthy (a busy machine answers late), the project, its services, those
of them that are meant to end, the format of `look`, the words that bring it up, then the command
before them."""


RUN: Final = r"""
set -u
project=$1 service=$2 files=$3; shift 3
printf '%s\n' "$files" | while IFS= read -r file; do
    # What an earlier run left must not pass for what this one writes.
    [ -z "$file" ] || rm -f -- "$file"
done
"$@" 2>&1 | sed -u 's/^/@up /'
id=$(docker ps --all --quiet --no-trunc --latest \
    --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$service")
if [ -z "$id" ]; then echo "no container of $service was made"; exit 70; fi
docker logs --follow "$id" 2>&1 | sed -u "s/^/@log $service /"
docker wait "$id" >/dev/null || exit 69
"""
"""Arguments: the project, the service, files to take away first (a line each), then the command
that starts the service."""

PULL: Final = r"""
set -u
registry=$1; shift
for image do
    if docker image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1; then
        echo "@have $image"
        continue
    fi
    echo "@pull $image"
    from=$image
    if [ -n "$registry" ]; then
        # The name without its registry, as the site's registry has it.
        path=$image
        case ${image%%/*} in *.*|*:*|localhost) path=${image#*/} ;; esac
        case $path in */*) ;; *) path=library/$path ;; esac
        from=$registry/$path
    fi
    status=$(mktemp) || exit 1
    { docker pull "$from" 2>&1; echo $? > "$status"; } | sed -u 's/^/@part /'
    code=$(cat "$status"); rm -f "$status"
    if [ "$code" != 0 ]; then echo "@failed $image"; exit 65; fi
    if [ "$from" != "$image" ]; then docker tag "$from" "$image" || exit 65; fi
    echo "@have $image"
done
"""
"""Arguments: the registry to take them from ("" for the one in their names), then the images."""
