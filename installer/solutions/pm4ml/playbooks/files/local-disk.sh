# Tells what the disk with a serial is to local volumes, and changes nothing. Its arguments are the
# serial, the volume group, and "yes" where left-overs may be wiped. It says one line, "DISK WORD":
# empty, ours (it carries the group already), or left-over: …; or why it is none, and ends with 1.
set -f
serial=$1 group=$2 wipe=$3
refuse() {
    echo "$*"
    exit 1
}
disks=$(lsblk -dnrpo NAME,SERIAL) || refuse "the disks cannot be listed"
named=$(printf '%s\n' "$disks" | awk -v serial="$serial" '$2 == serial { print $1 }')
case $named in
'') refuse "no disk has the serial $serial; there are: $(printf '%s\n' "$disks" | tr '\n' ';')" ;;
*'
'*) refuse "several disks have the serial $serial: $(printf '%s\n' "$named" | tr '\n' ' ')" ;;
esac
# A look that fails is no proof that nothing is there.
tree=$(lsblk -nrpo NAME,TYPE,FSTYPE,MOUNTPOINT "$named") && traces=$(wipefs --no-act --noheadings "$named") ||
    refuse "$named ($serial) cannot be looked at"
mine=$(vgs --noheadings -o vg_tags --select "vg_name=\"$group\"") || refuse "LVM does not answer"
groups=$(pvs --noheadings -o pv_name,vg_name) || refuse "LVM does not answer"
carried=$(printf '%s\n' "$groups" | while read -r device has; do
    [ "$(readlink -f "$device")" != "$(readlink -f "$named")" ] || echo "${has:-no group}"
done)
case $carried in
"$group")
    case ,$(echo $mine), in
    *,sitewright,*) echo "$named ours"; exit 0 ;;
    esac
    refuse "$named ($serial) carries a volume group $group that Sitewright did not make; if it is meant: sudo vgchange --addtag sitewright $group"
    ;;
'' | 'no group') ;;
*) refuse "$named ($serial) belongs to the volume group $carried" ;;
esac
[ -z "$(echo $mine)$(printf '%s\n' "$groups" | awk -v group="$group" '$2 == group')" ] ||
    refuse "there is a volume group $group already, on another disk than $named ($serial)"
rest=$(printf '%s\n' "$tree" | awk 'NR > 1 || NF > 2' | tr '\n' ';')
used=
for part in $(printf '%s\n' "$tree" | awk '{ print $1 }'); do
    holders=$(ls "/sys/class/block/${part##*/}/holders") || refuse "$named ($serial) cannot be looked at"
    swapped=$(awk -v part="$part" '$1 == part' /proc/swaps) || refuse "$named ($serial) cannot be looked at"
    # findmnt ends with 1 where nothing is mounted, and says nothing then.
    used="$used$holders$swapped$(findmnt -rno TARGET "$part")"
done
if [ -z "$rest$traces$used$carried" ]; then
    echo "$named empty"
    exit 0
fi
shown=$(printf '%s %s' "$rest" "$traces" | tr '\n' ';')
[ -z "$used" ] || refuse "$named ($serial) is in use: $shown"
[ "$wipe" = yes ] || refuse "$named ($serial) is not empty: $shown"
echo "$named left-over: $shown"
