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

READ: Final = r"""
set -u
project=$1 format=$2; shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# What the files ask for takes longest, so what is there is looked at meanwhile.
"$@" config --format json > "$work/project" &
config=$!
if docker ps --all --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.oneoff=False \
    --format '{{.ID}} {{.Label "com.docker.compose.service"}}' > "$work/ids" 2>/dev/null
then
    echo @docker
    sed 's/^/@id /' "$work/ids"
    # A container may go between the two commands; what the others say still counts.
    # shellcheck disable=SC2046 # ids are words
    [ ! -s "$work/ids" ] ||
        docker inspect --format "$format" $(cut -d ' ' -f 1 "$work/ids") 2>/dev/null |
        sed 's/^/@state /'
    sed 's/^/@mark /' "${SITEWRIGHT_STATE:-/var/lib/sitewright}/compose/$project" 2>/dev/null
fi
wait "$config" || exit 3
echo @config
cat "$work/project"
"""
"""Arguments: the project, the format of containers, the command. All that there is to know of it:
containers, what `UP` wrote down of them, and after a line `@config` what the files ask for."""

UP: Final = (
    r"""
set -u
limit=$1 settle=$2 patience=$3 project=$4 services=$5 ending=$6 format=$7 config=$8 up_words=$9
shift 9
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap : USR1
: > "$work/told"
: > "$work/last"
: > "$work/ran"
begun=$(date +%s)
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
"""
    + _LOOK
    + r"""
# Writes what was asked for, and which container each service has.
mark() {
    marks=${SITEWRIGHT_STATE:-/var/lib/sitewright}/compose
    mkdir -p "$marks"
    {
        echo "config $config"
        docker ps --all --no-trunc --filter "label=com.docker.compose.project=$project" \
            --filter label=com.docker.compose.oneoff=False \
            --format 'container {{.Label "com.docker.compose.service"}} {{.ID}}' |
            awk -v services=" $services " 'index(services, " " $2 " ")' | sort
    } > "$marks/$project.new" && mv -f "$marks/$project.new" "$marks/$project"
}
# What stands there from before says nothing of this attempt.
look && cp "$work/now" "$work/before"
[ -e "$work/before" ] || : > "$work/before"
# Its end wakes the loop below.
# shellcheck disable=SC2086 # words
{ "$@" $up_words 2>&1 & echo $! > "$work/pid"; wait $!
    echo $? > "$work/up"; kill -s USR1 $$ 2>/dev/null; } |
    sed -u 's/^/@up /' &
up=$!
silent=0 sick=0 heard=$begun
while :; do
    # Before the look: what was seen while it was brought up says nothing of how it ended.
    ups=0
    [ ! -s "$work/up" ] || ups=1
    if look; then
        silent=0
        grep -vxFf "$work/told" "$work/now" | sed 's/^/@state /'
        cp "$work/now" "$work/told"
    else
        silent=$((silent + 1))
    fi
    now=$(date +%s)
    # One word for all: bad, sick (unhealthy, and may get well), starting or good.
    all=$(awk -F '|' -v ending=" $ending " -v services=" $services " -v up="$ups" \
        -v now="$now" -v settle="$settle" -v ran="$work/ran" '
        FILENAME ~ /before$/ { old[$1 "|" $8] = 1; next }
        FILENAME ~ /ran$/ { since[$1 "|" $2] = $3; next }
        index(services, " " $1 " ") == 0 { next }
        { one = "good"; seen += 1
          if ($3 == "exited") { if ($4 != 0 || index(ending, " " $1 " ") == 0) one = "bad" }
          else if ($3 == "created") one = "starting"
          else if ($3 == "restarting") one = $6 >= 5 ? "bad" : "starting"
          else if ($3 != "running") one = "bad"
          else if ($5 == "unhealthy") one = "sick"
          else if ($5 == "starting") one = "starting"
          else if ($5 != "healthy" && $6 >= 5) one = "bad"
          else if ($5 != "healthy") {
              # Nothing vouches for it but that it goes on running since this very start.
              key = $2 "|" $8
              if (!(key in since)) since[key] = now
              if (now - since[key] < settle) one = "starting" }
          # One of before that ends is replaced or started again; it is judged when `up` has ended.
          if (one == "bad" && !up && (($1 "|" $8) in old)) one = "starting"
          if (one == "bad") bad = 1
          if (one == "sick") sick = 1
          if (one == "starting") starting = 1 }
        END { for (key in since) print key "|" since[key] > (ran ".new")
              print bad ? "bad" : sick ? "sick" : starting || !seen ? "starting" : "good" }' \
        "$work/before" "$work/ran" "$work/now")
    [ ! -e "$work/ran.new" ] || mv -f "$work/ran.new" "$work/ran"
    code=
    if [ "$all" != sick ]; then sick=0; elif [ "$sick" = 0 ]; then sick=$now; fi
    if [ "$silent" -ge 5 ]; then code=69
    elif [ "$all" = bad ]; then code=65
    elif [ "$sick" != 0 ] && [ $((now - sick)) -ge "$patience" ]; then code=65
    elif [ "$ups" = 1 ] && [ "$(cat "$work/up")" != 0 ]; then code=70
    elif [ "$ups" = 1 ] && [ "$all" = good ]; then code=0; fi
    [ -n "$code" ] || [ $((now - begun)) -lt "$limit" ] || code=75
    if [ -n "$code" ]; then
        trap '' USR1
        [ -s "$work/up" ] || kill "$(cat "$work/pid")" 2>/dev/null
        wait "$up"
        if [ "$code" = 0 ]; then said & mark; wait $!; exit 0; fi
        # What is bad may have said why a moment after it was seen to be.
        look && grep -vxFf "$work/told" "$work/now" | sed 's/^/@state /'
        said
        exit "$code"
    fi
    # Each look takes time from what starts on the machine: seldom while it is brought up, when
    # nothing but a failure can be seen, often for the moments after.
    if [ $((now - heard)) -ge 2 ] && grep -q running "$work/now"; then said; heard=$now; fi
    if [ "$ups" = 0 ] && [ -s "$work/up" ]; then continue; fi
    pause=2
    if [ $((now - begun)) -lt 60 ]; then
        pause=1
        if [ "$ups" = 1 ] && [ "$silent" = 0 ]; then pause=0.3; fi
    fi
    sleep "$pause" & wait $!
done
"""
)
"""Arguments: seconds in all, seconds for which one without a health check must run, seconds for
which one may be unhealthy (a busy machine answers late), the project, its services, those of them
that are meant to end, the format of `look`, what is to be written down of the files, the words
that bring it up, then the command before them."""


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
registry=$1 project=$2; shift 2
images=${SITEWRIGHT_STATE:-/var/lib/sitewright}/images
mkdir -p "$images" || exit 1
there() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }
for image do
    if there "$image" >/dev/null; then
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
    new=$image
    [ "$from" = "$image" ] || there "$from" >/dev/null || new="$image $from"
    status=$(mktemp) || exit 1
    { docker pull "$from" 2>&1; echo $? > "$status"; } | sed -u 's/^/@part /'
    code=$(cat "$status"); rm -f "$status"
    if [ "$code" != 0 ]; then echo "@failed $image"; exit 65; fi
    if [ "$from" != "$image" ]; then docker tag "$from" "$image" || exit 65; fi
    # Written down, so that taking it back removes just what was not there before.
    for name in $new; do echo "$(there "$name") $name" >> "$images/$project"; done
    echo "@have $image"
done
"""
"""Arguments: the registry to take them from ("" for the one in their names), the project, then the
images."""

REMOVE_PULLED: Final = r"""
set -u
list=${SITEWRIGHT_STATE:-/var/lib/sitewright}/images/$1
[ -s "$list" ] || exit 0
docker version >/dev/null || exit 69
sort -u "$list" > "$list.old"
: > "$list.new"
keep() { echo "@kept $name $1"; echo "$id $name" >> "$list.new"; }
while read -r id name; do
    if ! now=$(docker image inspect --format '{{.Id}}' "$name" 2>&1); then
        case $now in
            # It is gone already.
            *"No such image"*) ;;
            *) keep '?' ;;
        esac
        continue
    fi
    # Another image has the name by now: it is somebody else's.
    [ "$now" = "$id" ] || continue
    # Who uses it: where that cannot be told, somebody may.
    if ! users=$(docker ps --all --filter "ancestor=$id" --format '{{.Image}} {{.Names}}'); then
        keep '?'
        continue
    fi
    user=$(printf '%s\n' "$users" | awk -v name="$name" '$1 == name { print $2; exit }')
    if [ -z "$user" ] && docker rmi "$name" >/dev/null; then
        echo "@removed $name"
    else
        keep "${user:-by its id}"
    fi
done < "$list.old"
mv -f "$list.new" "$list"
rm -f "$list.old"
[ -s "$list" ] || rm -f "$list"
"""
"""Arguments: the project; removes the images that were pulled for it and that nothing uses."""
