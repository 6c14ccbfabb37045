# Looks at every disk that is named for Ceph ($DISKS, parted by spaces); changes nothing.
wrong=0
for disk in $DISKS; do
    if said=$(sh -s "$disk" <<'END'
{% raw %}CEPH_DISK{% endraw %}
END
    ); then echo "$disk: $said"; else echo "$said" >&2; wrong=1; fi
done
exit $wrong
