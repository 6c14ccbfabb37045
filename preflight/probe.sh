#!/bin/sh
# The probe: tells everything about this machine that decides an installation, and changes nothing.
#
# It arrives over standard input: sh -s NONCE < probe.sh. It writes raw text in frames
# ("NONCE begin NAME", lines, "NONCE end NAME STATUS", at last "NONCE done"), which are read at the
# other end; whatever a banner or a shell rc writes outside the frames does not matter. STATUS is
# an exit status, "missing" where the tool is not there, "needs-root", or "skipped" when time is up.
#
# POSIX sh with nothing but builtins, grep, sed, ls and date in ordinary use, each of which may be
# missing. It writes no file, starts no daemon, loads no module and listens on nothing. A command
# that could hang is asked with a bound of two seconds and not at all after six; a watchdog ends
# the whole after nine.

main() {
  n=$1
  login_locale=${LC_ALL:-${LANG-}}
  unset ENV BASH_ENV CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS POSIXLY_CORRECT IFS
  unalias -a
  set +e +u +f
  LC_ALL=C LANG=C LANGUAGE=
  PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/snap/bin
  export LC_ALL LANG LANGUAGE PATH

  printf '\n%s hello 1\n' "$n"
  begin clock
  date +%s.%N
  end $?

  measure
  begin_uptime=$uptime
  rights
  watch

  about_login
  about_system
  about_commands
  about_disks
  about_network
  about_kernel
  about_software
  about_docker
  about_certificates
  about_restart
  about_processes
  about_firewall
  about_clock
  about_sudo
  about_names
  about_memory_modules
  about_swap
  about_wear
  about_room

  measure
  begin ended
  date +%s.%N
  printf 'uptime %s %s\n' "$begin_uptime" "$uptime"
  end 0
  printf '%s done\n' "$n"
  [ -z "$watchdog" ] || kill "$watchdog"
}

begin() {
  frame=$1
  printf '%s begin %s\n' "$n" "$1"
}

end() {
  printf '%s end %s %s\n' "$n" "$frame" "$1"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Prints every line of the files that can be read, as "path:line": one process for hundreds of
# files. Without grep the shell reads them itself.
show() {
  if [ -n "$grep" ]; then
    grep -sH '' "$@"
    return 0
  fi
  for file; do
    if ! [ -f "$file" ] || ! [ -r "$file" ]; then
      continue
    fi
    while IFS= read -r line || [ -n "$line" ]; do
      printf '%s:%s\n' "$file" "$line"
    done <"$file"
  done
  return 0
}

# Seconds since the start of the machine, in $uptime and whole in $seconds.
measure() {
  uptime=
  read -r uptime _ </proc/uptime
  seconds=${uptime%%.*}
  seconds=${seconds:-0}
}

# Who the probe runs as, and the means by which commands are bounded.
rights() {
  uid=
  while read -r key value _; do
    [ "$key" = Uid: ] || continue
    uid=$value
    break
  done </proc/self/status
  [ -n "$uid" ] || uid=$(id -u)
  root=
  [ "$uid" = 0 ] && root=yes
  started=$seconds
  how=
  if has timeout && timeout -s KILL 2 true; then
    how='timeout'
  elif has sleep; then
    how='sleep'
  fi
  grep=
  has grep && grep=yes
}

# Ends the whole after nine seconds. It holds none of our streams, so that nobody waits for it.
watch() {
  watchdog=
  main=$$
  has sleep || return
  (
    # shellcheck disable=SC2030  # only this branch needs to know itself
    read -r myself _ </proc/self/stat
    nap=
    trap 'kill $nap; exit' TERM
    sleep 9 &
    nap=$!
    wait "$nap"
    trap '' TERM
    slay "$main"
  ) >/dev/null 2>&1 &
  watchdog=$!
}

# Kills a process and all that came from it, the watchdog excepted. What is stopped first can start
# nothing more between the look at its children and its end; the probe itself only waits, and goes
# first, lest it go on when what it waits for ends.
slay() {
  if [ "$1" = "$main" ]; then
    [ -r "/proc/$1/task/$1/children" ] && read -r kids <"/proc/$1/task/$1/children"
    kill -KILL "$1"
  else
    kill -STOP "$1"
    kids=
    [ -r "/proc/$1/task/$1/children" ] && read -r kids <"/proc/$1/task/$1/children"
  fi
  for kid in $kids; do
    # shellcheck disable=SC2031  # set where the watchdog calls this, empty elsewhere
    [ "$kid" = "${myself-}" ] || slay "$kid"
  done
  kill -KILL "$1"
}

# bounded SECONDS COMMAND…: runs a command and ends it and its children when the time is up.
bounded() {
  bound=$1
  shift
  case $how in
  timeout) ${last-} timeout -s KILL "$bound" "$@" ;;
  sleep)
    "$@" &
    child=$!
    (
      nap=
      trap 'kill $nap; exit' TERM
      sleep "$bound" &
      nap=$!
      wait "$nap"
      trap '' TERM
      slay "$child"
    ) >/dev/null 2>&1 &
    guard=$!
    wait "$child"
    status=$?
    kill "$guard"
    return "$status"
    ;;
  *) return 125 ;;
  esac
}

# Whether there is time left to ask one more command that might hang.
hurry() {
  measure
  [ $((seconds - started)) -ge 6 ]
}

# ask NAME COMMAND…: one frame with what a command says, bounded.
ask() {
  begin "$1"
  shift
  text=
  status=125
  if ! has "$1"; then
    end missing
  elif hurry; then
    end skipped
  else
    text=$(
      last='exec'
      bounded 2 "$@" 2>&1
    )
    status=$?
    printf '%s\n' "$text"
    end "$status"
  fi
}

# none NAME WHY: an empty frame that says why it is empty.
none() {
  begin "$1"
  end "$2"
}

about_login() {
  begin login
  printf 'uid=%s\nsudo_user=%s\nsudo_uid=%s\nuser=%s\nhome=%s\nlocale=%s\n' \
    "$uid" "${SUDO_USER-}" "${SUDO_UID-}" "${USER:-${LOGNAME-}}" "${HOME-}" "$login_locale"
  for name in http_proxy https_proxy ftp_proxy all_proxy no_proxy \
    HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY; do
    eval "value=\${$name-}"
    [ -z "$value" ] || printf 'env.%s=%s\n' "$name" "$value"
  done
  for marker in /.dockerenv /run/.containerenv; do
    [ -e "$marker" ] && printf 'marker=%s\n' "$marker"
  done
  [ -d /run/systemd/system ] && printf 'marker=systemd\n'
  [ -d /sys/fs/selinux ] && printf 'marker=selinux\n'
  [ -d /run/udev/data ] && printf 'marker=udev\n'
  end 0
  begin passwd
  show /etc/passwd /etc/group
  end 0
}

about_system() {
  begin system
  cpus=
  topology=
  for folder in /sys/devices/system/cpu/cpu[0-9]*/topology; do
    [ -d "$folder" ] || continue
    topology=yes
    cpus="$cpus $folder/physical_package_id $folder/die_id $folder/core_id"
  done
  # shellcheck disable=SC2086  # the names under /sys have no blanks
  show /etc/os-release /usr/lib/os-release /proc/sys/kernel/osrelease /proc/sys/kernel/arch \
    /proc/sys/kernel/random/boot_id /proc/uptime /proc/1/comm /proc/swaps \
    /proc/self/cgroup /proc/1/cgroup /proc/cgroups \
    /etc/timezone /etc/default/locale /etc/locale.conf /etc/environment /etc/machine-id \
    /proc/sys/kernel/hostname /etc/hosts /etc/resolv.conf /run/systemd/resolve/resolv.conf \
    /run/systemd/container /sys/hypervisor/type /sys/class/dmi/id/sys_vendor \
    /sys/class/dmi/id/product_name /sys/class/dmi/id/board_vendor /sys/class/dmi/id/bios_vendor \
    /sys/class/dmi/id/product_uuid /sys/devices/system/cpu/online \
    /sys/devices/system/memory/block_size_bytes /sys/fs/cgroup/cpu.max \
    /sys/fs/cgroup/memory.max /sys/fs/cgroup/cgroup.controllers \
    /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us \
    /sys/fs/cgroup/memory/memory.limit_in_bytes $cpus
  if [ -n "$grep" ]; then
    grep -sHE '^(Mem(Total|Available|Free)|Buffers|Cached|Swap(Total|Free)|Cpus_allowed_list|Max (processes|open files|locked memory))' \
      /proc/meminfo /proc/self/status /proc/self/limits
  else
    show /proc/meminfo /proc/self/status /proc/self/limits
  fi
  end 0

  begin blocks
  set -- /sys/devices/system/memory/memory[0-9]*
  if [ -e "$1" ]; then
    printf 'count=%s\n' "$#"
    # Beyond this the reading would cost more than the answer is worth.
    if [ -n "$grep" ] && [ "$#" -le 1100 ]; then
      grep -sHx offline /sys/devices/system/memory/memory[0-9]*/state
    fi
  fi
  end 0

  begin cpuinfo
  if has sed; then
    sed '/^$/q' /proc/cpuinfo
  else
    show /proc/cpuinfo
  fi
  [ -z "$topology" ] && [ -n "$grep" ] &&
    grep -sE '^(processor|physical id|core id)' /proc/cpuinfo
  end 0

  [ -r /proc/sys/kernel/arch ] || ask machine uname -m
  if [ -r /proc/device-tree/model ] && has tr; then
    begin board
    tr -d '\000' </proc/device-tree/model
    printf '\n'
    end 0
  fi

  ask virt systemd-detect-virt
  if [ "$status" -gt 1 ] && [ -n "$root" ] && has tr; then
    begin init_environment
    tr '\000' '\n' </proc/1/environ | grep -s '^container='
    end 0
  fi
}

about_commands() {
  begin commands
  for name in \
    apt-get awk bash conntrack curl dig dpkg ebtables ethtool fio git gpg gzip ip ip6tables \
    iptables ipset jq lsblk make mdadm modprobe mount mountpoint nft nslookup nsenter nvme openssl ping python3 \
    rsync smartctl snap socat ss sshd sudo swapoff sysctl systemctl systemd-run tar tc touch umount \
    unzip wget xz zstd ansible-playbook terraform terragrunt java psql \
    docker dockerd docker-compose containerd podman crio runc crun lxc lxd microk8s k3s rke2 k0s \
    kubelet kubeadm kubectl helm haproxy nginx apache2 httpd keepalived ceph ceph-osd microceph \
    etcd ufw firewalld fail2ban-server multipathd unattended-upgrade exportfs iscsid wg \
    longhornctl chronyd ntpd snapd nomad consul minikube kind postgres mysqld mongod redis-server \
    kafka-server-start.sh rabbitmq-server named dnsmasq rpcbind zfs drbdadm puppet salt-minion; do
    command -v "$name"
  done
  end 0
}

about_disks() {
  begin blocknames
  set --
  for folder in /sys/block/*; do
    case ${folder##*/} in
    '*' | loop* | ram* | zram* | sr* | fd* | nbd* | mtd*) continue ;;
    esac
    printf '%s' "${folder##*/}"
    for part in "$folder"/*/partition; do
      [ -e "$part" ] || continue
      part=${part%/partition}
      printf ' part:%s' "${part##*/}"
      for holder in "$part"/holders/*; do
        [ -e "$holder" ] && printf ' %s>%s' "${part##*/}" "${holder##*/}"
      done
      set -- "$@" "$part/dev"
    done
    for holder in "$folder"/holders/*; do
      [ -e "$holder" ] && printf ' %s>%s' "${folder##*/}" "${holder##*/}"
    done
    printf '\n'
    set -- "$@" "$folder/dev" "$folder/size"
    case ${folder##*/} in
    dm-*) set -- "$@" "$folder/dm/name" "$folder/dm/uuid" ;;
    md*) set -- "$@" "$folder/md/level" "$folder/md/array_state" "$folder/md/degraded" ;;
    *)
      set -- "$@" "$folder/ro" "$folder/removable" "$folder/hidden" "$folder/serial" \
        "$folder/wwid" "$folder/queue/rotational" "$folder/device/model" \
        "$folder/device/vendor" "$folder/device/serial" "$folder/device/wwid" \
        "$folder/device/name" "$folder/device/type" "$folder/device/transport" \
        "$folder/device/uevent"
      # Below a subsystem a namespace has no transport; the subsystem's controllers have.
      case ${folder##*/} in
      nvme*) set -- "$@" "$folder"/device/nvme*/transport ;;
      esac
      ;;
    esac
  done
  end 0
  begin block
  [ "$#" = 0 ] || show "$@"
  show /proc/mdstat
  end 0
  if [ -n "$grep" ] && [ -d /run/udev/data ]; then
    begin udev
    grep -sHE '^E:(ID_SERIAL|ID_SERIAL_SHORT|ID_SCSI_SERIAL|ID_WWN|ID_WWN_WITH_EXTENSION|ID_BUS|ID_MODEL|ID_FS_TYPE|ID_PART_TABLE_TYPE)=' \
      /run/udev/data/b*
    end 0
  fi
  begin links
  ls -l /sys/block /sys/class/net /dev/disk/by-id /etc/localtime
  end 0
  # The PCI functions of storage: whose they are, and which are parts of another (SR-IOV).
  begin pci
  if [ -n "$grep" ]; then
    set --
    # shellcheck disable=SC2013  # the names under /sys have no blanks
    for file in $(grep -lsE '^0x01' /sys/bus/pci/devices/*/class); do
      set -- "$@" "${file%/class}/vendor" "${file%/class}/subsystem_vendor"
      [ -e "${file%/class}/physfn" ] && parts="${parts-} ${file%/class}/physfn"
    done
    [ "$#" = 0 ] || show "$@"
    # shellcheck disable=SC2086  # the names under /sys have no blanks
    [ -z "${parts-}" ] || ls -ld $parts
  fi
  end 0
  if [ -n "$root" ] && ! [ -d /run/udev/data ]; then
    ask blkid blkid -o export
  fi
}

about_network() {
  begin nicnames
  set --
  for folder in /sys/class/net/*; do
    name=${folder##*/}
    case $name in
    '*' | lo | bonding_masters) continue ;;
    esac
    printf '%s' "$name"
    for other in "$folder"/upper_* "$folder"/lower_*; do
      [ -e "$other" ] && printf ' %s' "${other##*/}"
    done
    for other in "$folder"/brif/*; do
      [ -e "$other" ] && printf ' lower_%s' "${other##*/}"
    done
    [ -e "$folder/device" ] && printf ' device'
    [ -e "$folder/wireless" ] && printf ' wireless'
    [ -e "$folder/dsa" ] && printf ' dsa'
    for other in "$folder"/device/physfn/net/*; do
      [ -e "$folder/device/physfn" ] && printf ' physfn:%s' "${other##*/}"
    done
    printf '\n'
    set -- "$@" "$folder/address" "$folder/mtu" "$folder/operstate" "$folder/uevent" \
      "$folder/type" "$folder/device/uevent" "$folder/bonding/slaves" "$folder/bonding/mode" \
      "$folder/tun_flags"
    # What tells a port from a part of one, a card from an emulation.
    if [ -e "$folder/device" ]; then
      set -- "$@" "$folder/phys_port_name" "$folder/phys_port_id" "$folder/phys_switch_id" \
        "$folder/device/vendor" "$folder/device/subsystem_vendor" "$folder/device/sriov_totalvfs"
    fi
    # Only what has hardware or members can tell a speed that means something.
    if [ -e "$folder/device" ] || [ -e "$folder/bonding" ] || [ -e "/proc/net/vlan/$name" ]; then
      set -- "$@" "$folder/speed" "$folder/duplex"
    fi
  done
  end 0
  begin nics
  [ "$#" = 0 ] || show "$@"
  # Without a single route the file may be empty, which is not the same as out of sight.
  [ -r /proc/net/route ] && printf 'routes\n'
  show /proc/net/route /proc/net/if_inet6
  [ -n "$grep" ] && grep -sHvE '^ff|^[0-9a-f]{32} 80 .* lo$| lo$' /proc/net/ipv6_route
  end 0
  ask addresses ip -o addr show
  if [ "$status" != 0 ] || [ -z "$text" ]; then
    begin fib_trie
    if [ -n "$grep" ]; then
      grep -s -B1 '/32 host LOCAL' /proc/net/fib_trie
    else
      show /proc/net/fib_trie
    fi
    end 0
  fi

  begin sockets
  if [ -n "$grep" ]; then
    # Those that listen (TCP, state 0A) or are bound without a peer (UDP, state 07).
    grep -sHE ': [0-9A-F]+:[0-9A-F]{4} 0+:0000 0[A7] ' \
      /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
    end 0
  else
    show /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
    end 0
  fi
  if [ -z "$root" ]; then
    none owners needs-root
  elif has ss; then
    ask owners ss -tulnpe
  else
    begin descriptors
    # shellcheck disable=SC2010  # the numbers of descriptors are plain, the targets are wanted
    ls -l /proc/[0-9]*/fd | grep -sE '^/proc/|socket:'
    end 0
  fi
}

about_kernel() {
  release=
  read -r release </proc/sys/kernel/osrelease
  wanted='br_netfilter overlay nf_conntrack nf_nat vxlan geneve rbd ceph ip_vs ip_vs_rr ip_vs_wrr
    ip_vs_sh xt_conntrack xt_set xt_MASQUERADE xt_REDIRECT xt_owner xt_comment xt_mark xt_TPROXY
    nf_tables nft_compat ip_tables ip6_tables iptable_nat iptable_filter ip_set ipip sit ip_tunnel
    wireguard nvme nvme_tcp nvme_fabrics vfio_pci uio_pci_generic dm_crypt dm_snapshot
    dm_thin_pool dm_multipath raid1 iscsi_tcp libiscsi nfs nfsv4 nfsd bridge tun veth 8021q bonding
    ext4 xfs btrfs zfs kvm fuse nbd drbd sch_netem apparmor'
  begin modules
  show /proc/modules
  end 0
  begin known_modules
  pattern=
  for name in $wanted; do
    [ -d "/sys/module/$name" ] && printf 'present %s\n' "$name"
    pattern="$pattern|$name"
  done
  kernel_folder=/lib/modules/$release
  if [ -r "$kernel_folder/modules.dep" ]; then
    printf 'folder %s\n' "$kernel_folder"
    # File names have either dash or underline where the module's name has an underline.
    if has sed; then
      sed -nE "s/^[^:]*\\/(${pattern#|})\\.ko[.a-z0-9]*(:.*)?\$/file \\1/p" \
        "$kernel_folder/modules.dep"
      sed -nE "s/^.*\\/(${pattern#|})\\.ko\$/builtin \\1/p" "$kernel_folder/modules.builtin"
    fi
  fi
  end 0
  begin filesystems
  show /proc/filesystems
  end 0
  begin kernel
  show /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables \
    /proc/sys/net/bridge/bridge-nf-call-ip6tables /proc/sys/net/ipv4/conf/all/forwarding \
    /proc/sys/net/ipv4/conf/default/forwarding /proc/sys/net/ipv4/conf/all/rp_filter \
    /proc/sys/net/ipv4/conf/default/rp_filter /proc/sys/net/ipv4/conf/all/arp_ignore \
    /proc/sys/net/ipv4/conf/all/arp_announce /proc/sys/net/ipv4/conf/all/arp_filter \
    /proc/sys/net/ipv4/ip_local_port_range /proc/sys/net/ipv4/ip_nonlocal_bind \
    /proc/sys/net/ipv4/neigh/default/gc_thresh3 /proc/sys/net/ipv4/tcp_keepalive_time \
    /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/all/forwarding \
    /proc/sys/net/core/somaxconn /proc/sys/net/core/rmem_max /proc/sys/net/core/wmem_max \
    /proc/sys/net/netfilter/nf_conntrack_max \
    /proc/sys/fs/inotify/max_user_watches /proc/sys/fs/inotify/max_user_instances \
    /proc/sys/fs/aio-nr /proc/sys/fs/aio-max-nr /proc/sys/fs/file-max /proc/sys/fs/nr_open \
    /proc/sys/vm/max_map_count /proc/sys/vm/swappiness /proc/sys/vm/overcommit_memory \
    /proc/sys/vm/panic_on_oom /proc/sys/vm/nr_hugepages \
    /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max /proc/sys/kernel/panic \
    /proc/sys/kernel/panic_on_oops /proc/sys/kernel/keys/root_maxkeys \
    /proc/sys/kernel/keys/root_maxbytes /proc/sys/kernel/unprivileged_userns_clone \
    /proc/sys/kernel/apparmor_restrict_unprivileged_userns /proc/sys/user/max_user_namespaces \
    /proc/sys/kernel/randomize_va_space \
    /sys/kernel/security/lsm /sys/module/apparmor/parameters/enabled /sys/fs/selinux/enforce \
    /etc/selinux/config
  end 0
  begin mounts
  if [ -n "$grep" ]; then
    mounts=$(grep -svE \
      ' - (proc|sysfs|cgroup2?|devpts|devtmpfs|nsfs|mqueue|debugfs|tracefs|securityfs|pstore|bpf|configfs|hugetlbfs|autofs|binfmt_misc|fusectl|efivarfs|rpc_pipefs|squashfs|fuse\.(lxcfs|portal|snapfuse)) |^[^ ]* [^ ]* [^ ]* [^ ]* /((proc|sys|dev|run|snap)[/ ]|var/lib/(docker|containers|containerd|kubelet|lxd|lxc|rancher)/.|var/snap/[^ ]*/(containerd|kubelet)/|etc/(hosts|hostname|resolv\.conf) )' \
      /proc/self/mountinfo)
    printf '%s\n' "$mounts"
    end 0
  else
    show /proc/self/mountinfo
    end 0
  fi
  begin hierarchies
  for folder in /sys/fs/cgroup/*; do
    [ -d "$folder" ] && printf '%s ' "${folder##*/}"
  done
  [ -e /sys/fs/cgroup/cgroup.controllers ] && printf 'v2'
  printf '\n'
  end 0
}

about_software() {
  begin packages
  if [ -r /var/lib/dpkg/status ] && has sed; then
    sed -nE '/^Package: (docker\.io|docker-ce|docker-compose-v2|docker-compose-plugin|containerd|containerd\.io|podman|cri-o|runc|snapd|lxd|lxc|kubelet|kubeadm|kubectl|helm|haproxy|nginx|nginx-core|apache2|keepalived|ceph|ceph-osd|ceph-mon|ceph-common|cephadm|etcd|etcd-server|ufw|firewalld|fail2ban|multipath-tools|unattended-upgrades|nfs-kernel-server|nfs-common|open-iscsi|wireguard|wireguard-tools|chrony|systemd-timesyncd|ntp|ntpsec|openssh-server|postgresql|mysql-server|mariadb-server|mongodb-org|redis-server|bind9|dnsmasq|rpcbind|drbd-utils|zfsutils-linux|nvidia-container-toolkit|ansible|puppet-agent|salt-minion)$/,/^Version:/{/^(Package|Status|Version):/p;}' \
      /var/lib/dpkg/status
    end 0
  else
    end missing
  fi
  if [ -n "$grep" ]; then
    begin snaps
    grep -sHE '^(name|version):' /snap/*/current/meta/snap.yaml
    end 0
  fi
  begin units
  for name in docker containerd podman crio snapd lxd k3s k3s-agent rke2-server rke2-agent \
    k0scontroller k0sworker kubelet haproxy nginx apache2 keepalived ceph-osd@ ceph-mon@ etcd ufw \
    firewalld fail2ban multipathd unattended-upgrades nfs-server iscsid chrony chronyd \
    systemd-timesyncd ntp ntpd ntpsec ssh sshd dnsmasq named rpcbind apparmor fapolicyd; do
    for folder in /etc/systemd/system /lib/systemd/system /usr/lib/systemd/system \
      /usr/local/lib/systemd/system; do
      if [ -e "$folder/$name.service" ]; then
        printf '%s=%s/%s.service\n' "$name" "$folder" "$name"
        break
      fi
    done
  done
  end 0
  # A unit with processes has a folder among the control groups: no need to ask systemd. Process 1
  # tells where this system's own begin, for those of a host or a neighbour may be in sight too.
  begin services
  found=
  daemon=
  while IFS=: read -r _ kind base; do
    case $kind:$base in
    :*/init.scope | name=systemd:*/init.scope) ;;
    *) continue ;;
    esac
    base=${base%/init.scope}/system.slice
    for folder in "/sys/fs/cgroup$base"/*.service "/sys/fs/cgroup/systemd$base"/*.service \
      "/sys/fs/cgroup/unified$base"/*.service; do
      [ -d "$folder" ] || continue
      found=yes
      case ${folder##*/} in
      # What runs to an end keeps its folder afterwards.
      cloud-*.service | apt-daily*.service | snapd.seeded.service)
        read -r _ <"$folder/cgroup.procs" || continue
        ;;
      esac
      printf '%s\n' "${folder##*/}"
      case ${folder##*/} in
      chrony.service | chronyd.service) daemon=chrony ;;
      systemd-timesyncd.service) daemon=systemd-timesyncd ;;
      ntp.service | ntpd.service | ntpsec.service | openntpd.service) daemon=ntpd ;;
      esac
    done
    [ -n "$found" ] && break
  done </proc/1/cgroup
  end 0
  if [ -z "$found" ] && [ -d /run/systemd/system ]; then
    ask running systemctl list-units --no-legend --plain --type=service --state=active
  fi
}

# Docker is asked only where its daemon runs: a socket that systemd listens on would start it.
about_docker() {
  has docker || return 0
  ask compose docker compose version --short
  if [ -e /run/docker.pid ] || [ -e /var/run/docker.pid ]; then
    ask docker docker info --format \
      '{{.ServerVersion}}|{{.Driver}}|{{.Architecture}}|{{.DockerRootDir}}|{{.SecurityOptions}}'
  fi
}

# Whether a restart is due: what asked for it, and the kernels that lie there to be started.
about_restart() {
  begin restart
  [ -e /run/reboot-required ] && printf 'required\n'
  show /run/reboot-required.pkgs
  for file in /boot/vmlinuz-*; do
    [ -e "$file" ] && printf 'kernel %s\n' "${file#/boot/vmlinuz-}"
  done
  end 0
}

# Certificates with a last day that programs of a site live by; what they hold is no secret. On a
# MicroK8s that only works others lie about that it made for itself before it joined, and uses none.
about_certificates() {
  microk8s=/var/snap/microk8s/current
  microceph=/var/snap/microceph/common/state
  begin certificates
  if [ -e "$microk8s/var/lock/clustered.lock" ]; then
    show "$microk8s/certs/ca.crt" "$microk8s/certs/kubelet.crt" "$microk8s/certs/proxy.crt"
  else
    show "$microk8s"/certs/*.crt "$microk8s/var/kubernetes/backend/cluster.crt"
  fi
  show /etc/docker/registry/tls/*.crt "$microceph/server.crt" "$microceph/cluster.crt"
  if [ -z "$root" ] && { [ -d "$microk8s" ] || [ -d "${microceph%/*}" ]; }; then
    end needs-root
  else
    end 0
  fi
}

about_processes() {
  begin processes
  show /proc/[0-9]*/comm
  end 0
}

about_firewall() {
  begin ufw
  show /etc/ufw/ufw.conf /etc/default/ufw
  [ -z "$root" ] || [ -z "$grep" ] ||
    grep -sHE '^### tuple ###' /etc/ufw/user.rules /etc/ufw/user6.rules \
      /lib/ufw/user.rules /lib/ufw/user6.rules
  end 0
  # Asking could make the kernel load the module, so what is not loaded is not asked.
  filter=unknown
  if [ -r /proc/modules ]; then
    filter=
    [ -d /sys/module/nf_tables ] && filter="$filter nf_tables"
    [ -d /sys/module/ip_tables ] && filter="$filter ip_tables"
    [ -d /sys/module/iptable_filter ] && filter="$filter iptable_filter"
    [ -r "$kernel_folder/modules.builtin" ] && [ -n "$grep" ] &&
      grep -qsE '/(nf_tables|ip_tables)\.ko' "$kernel_folder/modules.builtin" && filter=unknown
  fi
  begin filters
  printf '%s\n' "$filter"
  end 0
  if [ -z "$root" ]; then
    none nft needs-root
    none iptables needs-root
    return
  fi
  [ -n "$filter" ] || return
  # shellcheck disable=SC2016  # the dollars are awk's
  condense nft '
    /^table /            { table = $2 " " $3 }
    /^\t[a-z]+ .*\{/     { kind = $1; chain = $2 }
    /^\t\ttype .* hook / { print table, chain, $0; next }
    /^\t\t ?[^\t ]/      { if (kind == "chain" && $1 != "comment") rules++ }
    /^\t\}/              { kind = "" }
    /^status /           { print }
    END                  { print "rules " rules + 0 }' \
    nft list ruleset
  # shellcheck disable=SC2016  # the dollars are awk's
  condense iptables '
    /^\*/                { table = substr($1, 2) }
    /^:[A-Z]+ /          { print table, $1, $2 }
    /^:ufw-user-input/   { print "ufw" }
    /^-A /               { rules++ }
    /^status /           { print }
    END                  { print "rules " rules + 0 }' \
    iptables-save
}

# condense NAME PROGRAM COMMAND…: a command whose answer may be megabytes, made small here.
condense() {
  begin "$1"
  program=$2
  shift 2
  if ! has "$1"; then
    end missing
  elif hurry; then
    end skipped
  elif has awk; then
    {
      bounded 2 "$@"
      printf '\nstatus %s\n' "$?"
    } | awk "$program"
    end 0
  else
    # Without awk the beginning has to do; "raw" tells the reader to count.
    printf 'raw\n'
    text=$(
      last='exec'
      bounded 2 "$@"
    )
    printf '%.200000s\nstatus %s\n' "$text" "$?"
    end 0
  fi
}

about_clock() {
  begin timekeeping
  if [ -n "$grep" ]; then
    grep -sHE '^ *(server|pool|peer|NTP|FallbackNTP|refclock)[ =]' /etc/chrony/chrony.conf \
      /etc/chrony.conf /etc/chrony/conf.d/*.conf /etc/chrony/sources.d/*.sources \
      /run/chrony-dhcp/*.sources /etc/systemd/timesyncd.conf /etc/systemd/timesyncd.conf.d/*.conf \
      /etc/ntp.conf /etc/ntpsec/ntp.conf
  fi
  [ -e /run/systemd/timesync/synchronized ] && printf 'synchronized\n'
  end 0
  case $daemon in
  systemd-timesyncd)
    ask timesync timedatectl show-timesync -p SystemNTPServers -p LinkNTPServers \
      -p FallbackNTPServers -p ServerName -p ServerAddress -p NTPMessage
    return
    ;;
  ntpd)
    ask ntpq ntpq -c rv
    ask ntppeers ntpq -pn
    return
    ;;
  esac
  if [ "$daemon" = chrony ] || has chronyc; then
    ask chronyc chronyc -n tracking
    if [ "$status" = 0 ]; then
      ask chronysources chronyc -n sources
      return
    fi
  fi
  # This wakes a service of systemd for a moment, so it is asked only where nothing else can tell.
  [ -d /run/systemd/system ] && ask timedatectl timedatectl show -p NTPSynchronized
}

about_sudo() {
  if [ -z "$root" ]; then
    ask sudo sudo -n -l
  elif [ -n "${SUDO_USER-}" ] && [ "$SUDO_USER" != root ]; then
    ask sudo sudo -n -l -U "$SUDO_USER"
  fi
}

about_names() {
  host=
  read -r host </proc/sys/kernel/hostname
  [ -n "$host" ] && ask own_name getent ahosts "$host"
  if [ -n "$grep" ] && ! grep -qs "^${SUDO_USER:-${USER:-root}}:" /etc/passwd; then
    ask account getent passwd "${SUDO_UID:-$uid}"
    ask groups id -Gn "${SUDO_USER:-${USER:-root}}"
  fi
}

about_memory_modules() {
  if [ -n "$root" ] && [ -e /sys/firmware/dmi/tables/DMI ]; then
    ask dimms dmidecode -q -t 17
  fi
}

# Where swap comes from: what switches it on at the next start, whether or not it is on now.
about_swap() {
  begin swap
  # A masked unit is a link to /dev/null, which is there and no file.
  [ -c /etc/systemd/system/swap.target ] && printf 'masked swap.target\n'
  if [ -n "$grep" ]; then
    grep -sHE '^[^#]*[[:space:]]swap[[:space:]]' /etc/fstab
    grep -sHE '^ *CONF_SWAPFILE=' /etc/dphys-swapfile
    grep -sHE '^ *ResourceDisk\.(EnableSwap|MountPoint)=' /etc/waagent.conf
    grep -sHE '^(What|SourcePath|Documentation|Description) *=' /run/systemd/generator*/*.swap \
      /run/systemd/transient/*.swap /run/systemd/system/*.swap /etc/systemd/system/*.swap \
      /lib/systemd/system/*.swap
  fi
  for unit in zramswap zram-config zram-swap dphys-swapfile swapspace systemd-swap; do
    [ -c "/etc/systemd/system/$unit.service" ] && continue
    for file in /etc/systemd/system/*.wants/"$unit.service" /etc/rc2.d/S??"$unit"; do
      if [ -e "$file" ]; then
        printf 'service %s.service\n' "$unit"
        break
      fi
    done
  done
  for file in /etc/systemd/system/swap.target.wants/*.swap \
    /etc/systemd/system/swap.target.requires/*.swap /etc/systemd/system/*.target.wants/*.swap \
    /run/systemd/generator*/swap.target.wants/*.swap \
    /run/systemd/generator*/swap.target.requires/*.swap; do
    [ -L "$file" ] && ! [ -c "/etc/systemd/system/${file##*/}" ] &&
      printf 'pulled %s\n' "${file##*/}"
  done
  end 0
}

about_wear() {
  [ -n "$root" ] || return
  for folder in /sys/block/nvme* /sys/block/sd*; do
    [ -e "$folder" ] || continue
    name=${folder##*/}
    [ -b "/dev/$name" ] || continue
    spinning=1
    read -r spinning <"$folder/queue/rotational"
    [ "$spinning" = 0 ] || continue
    case $name in
    nvme*)
      if has nvme; then
        ask "wear $name" nvme smart-log "/dev/$name"
      else
        ask "wear $name" smartctl -A "/dev/$name"
      fi
      ;;
    *) ask "wear $name" smartctl -n standby -A "/dev/$name" ;;
    esac
  done
}

# Filesystems that another machine serves are left alone: they may hang.
about_room() {
  set --
  newline='
'
  IFS=$newline
  set -f
  for line in $mounts; do
    kind=${line##* - }
    kind=${kind%% *}
    case $kind in
    ext[234] | xfs | btrfs | zfs | f2fs | jfs | reiserfs | bcachefs | overlay | tmpfs | vfat | msdos | exfat | ntfs3 | ntfs | fuseblk | aufs) ;;
    *) continue ;;
    esac
    line=${line#* * * * }
    line=${line%% *}
    case $line in
    *\\*) continue ;;
    esac
    [ "$#" -lt 128 ] && set -- "$@" "$line"
  done
  unset IFS
  set +f
  if [ -z "$grep" ]; then
    none room missing
  elif [ "$#" = 0 ]; then
    none room 0
  elif has df || ! has stat; then
    ask room df -P -k "$@"
  else
    ask room stat -f -c 'stat %S %b %a %n' "$@"
  fi
}

main "$@" </dev/null 2>/dev/null
exit 0
