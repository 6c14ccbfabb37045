# Whether the memory of this machine is enough; TTK, BULK and THIRDPARTY are yes or no.
# In GB as machines are sold: what the kernel keeps for itself is some two hundredths.
kib=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
have=$(( (kib * 1024 + 500000000) / 1000000000 ))
want=9 parts="the hub (9 GB)"
if [ "$TTK" = yes ]; then want=$((want + 3)) parts="$parts, the Testing Toolkit (3)"; fi
if [ "$BULK" = yes ]; then want=$((want + 3)) parts="$parts, bulk transfers (3)"; fi
if [ "$THIRDPARTY" = yes ]; then want=$((want + 3)) parts="$parts, third-party payments (3)"; fi
echo "Chosen: $parts. Together some $want GB; this machine has $have GB."
[ "$have" -lt "$want" ] || exit 0
left="" rest=$want
for part in THIRDPARTY:thirdparty BULK:bulk TTK:ttk; do
    [ "$rest" -gt "$have" ] || break
    eval "chosen=\$${part%%:*}"
    if [ "$chosen" = yes ]; then rest=$((rest - 3)) left="$left ${part#*:}: no"; fi
done
if [ "$rest" -le "$have" ]; then
    echo "It would be enough with these settings:$left" >&2
else
    echo "It is not enough for the hub alone, which wants some $rest GB." >&2
fi
if [ -n "$WAIVED_UNTIL" ]; then
    if [ "$(date +%Y%m%d)" -le "$(printf %s "$WAIVED_UNTIL" | tr -d -)" ]; then
        echo "The site accepts that by a waiver of the memory, so it goes on." >&2
        exit 0
    fi
    echo "The waiver of the memory ended on $WAIVED_UNTIL and no longer counts." >&2
fi
echo "error: the machine has $have GB of memory, and $want GB are wanted${left:+; leave out:$left}" >&2
exit 1
