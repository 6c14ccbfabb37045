# Tells what a disk is to Ceph: prints taken, empty, or why it is neither (and ends with 1).
# Run as: sh -s DISK
disk=$1
if [ ! -b "$disk" ]; then
    echo "$disk is not a disk of this machine; its disks are: $(lsblk -dnpo NAME | tr '\n' ' ')"
    exit 1
fi
real=$(readlink -f "$disk")
# MicroCeph lists the disks of all servers, by whatever path it found lasting.
for path in $(microceph disk list 2>/dev/null | awk -F '|' -v host="$(hostname)" \
    '{ gsub(/ /, "") } $3 == host { print $4 }'); do
    if [ "$(readlink -f "$path")" = "$real" ]; then
        echo taken
        exit 0
    fi
done
children=$(lsblk -nrpo NAME,FSTYPE,MOUNTPOINT "$disk" | awk 'NR > 1 || NF > 1' | tr '\n' ';')
traces=$(wipefs --no-act --noheadings "$disk" | tr '\n' ';')
if [ -n "$children$traces" ]; then
    echo "$disk is not empty: $children $traces"
    exit 1
fi
echo empty
