# Tells what disks are to Ceph and changes nothing: "DISK: empty", "DISK: taken" (Ceph has it), or why
# it is neither, and then it ends with 1. The disks are its arguments, or parted by spaces in $DISKS.
set -f
ours=$(microceph disk list 2>/dev/null | awk -F '|' -v host="$(hostname)" \
    '{ gsub(/ /, "") } $3 == host { print $4 }')
look() {
    if [ ! -b "$1" ]; then
        echo "$1 is not a disk of this machine; its disks are: $(lsblk -dnpo NAME | tr '\n' ' ')"
        return 1
    fi
    real=$(readlink -f "$1")
    # MicroCeph lists a disk by whatever lasting path it found.
    for path in $ours; do
        if [ "$(readlink -f "$path")" = "$real" ]; then
            echo "$1: taken"
            return 0
        fi
    done
    # A look that fails is no proof that nothing is there.
    children=$(lsblk -nrpo NAME,FSTYPE,MOUNTPOINT "$real") && traces=$(wipefs --no-act --noheadings "$real") || {
        echo "$1 cannot be looked at"
        return 1
    }
    children=$(printf '%s\n' "$children" | awk 'NR > 1 || NF > 1' | tr '\n' ';')
    traces=$(printf '%s' "$traces" | tr '\n' ';')
    if [ -n "$children$traces" ]; then
        echo "$1 is not empty: $children $traces"
        return 1
    fi
    echo "$1: empty"
}
wrong=0
for disk in ${*:-$DISKS}; do
    look "$disk" || wrong=1
done
exit $wrong
