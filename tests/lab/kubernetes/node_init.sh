#!/bin/sh
# The first process of a lab machine that is to be a node of a Kubernetes; then systemd.
#
# podman hands the host's whole hierarchy of systemd's control groups into the machine; with a
# namespace of its own the machine would make its slices at the host's root. It gets one of its own.
umount -l /sys/fs/cgroup/systemd/release_agent 2>/dev/null
umount -l /sys/fs/cgroup/systemd 2>/dev/null
mkdir -p /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mount --make-rshared /
# The kubelet writes these, and they are the host's: it finds them as it wants them, in files.
mkdir -p /run/lab-sysctl
for line in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/lab-sysctl/$(echo "${line%%=*}" | tr / .)
    echo "${line#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${line%%=*}"
done
exec /sbin/init
