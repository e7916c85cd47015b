#!/usr/bin/env bash
# A machine of its own under a real systemd: own processes, mounts, network, cgroups and engine; the host's files to read, nothing to write.
#
#   machine.sh NAME DIR FOLDER...    DIR: an empty directory; FOLDERs are seen inside at the same place, read-only
#
# Its disk is a tmpfs that only this mount namespace sees; `systemctl reboot` inside boots it again. It ends with its parent, or by
# SIGKILL of its pid; then nothing is left but the cgroups NAME (see `machine.sh --cgroups`).
set -euo pipefail

readonly DISK_SIZE=3g
# Clock, modules, ports and log of the kernel are the host's.
readonly DENIED=-sys_time,-sys_module,-sys_rawio,-syslog
readonly REBOOTED=129 # reboot(2) in a pid namespace ends its first process with SIGHUP.

# The hierarchies of the host, one "TYPE MOUNTPOINT OPTIONS" a line.
hierarchies() { awk '$3 ~ /^cgroup2?$/ { print $3, $2, $4 }' /proc/self/mounts; }

cgroups() { hierarchies | while read -r _ at _; do echo "$at/$1"; done; }

enter_cgroups() {
  local group
  for group in $(cgroups "$1"); do
    mkdir -p "$group"
    # A cpuset without processors takes no process.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$group/../tasks" ] || [ ! -e "$group/$file" ] || cat "$group/../$file" >"$group/$file"
    done
    echo 0 >"$group/cgroup.procs"
  done
}

mount_cgroups() {
  local root=$1 type at options
  local list; list=$(hierarchies)
  mount -t sysfs sysfs "$root/sys"
  case $list in *" /sys/fs/cgroup "*) ;; *) mount -t tmpfs -o mode=0755 tmpfs "$root/sys/fs/cgroup" ;; esac
  while read -r type at options; do
    mkdir -p "$root$at"
    if [ "$type" = cgroup2 ]; then
      mount -t cgroup2 cgroup2 "$root$at"
    else
      # Only which controllers: the flags of the host's mount are its own.
      options=$(tr , '\n' <<<"$options" | grep -vxE 'r[ow]|nosuid|nodev|noexec|relatime|release_agent=.*|xattr|clone_children' | paste -sd,)
      case $options in name=*) options=none,$options ;; esac
      mount -t cgroup -o "$options" cgroup "$root$at"
    fi
  done <<<"$list"
}

# The kernel's settings are the host's, but for the network's.
mount_proc() {
  mount -t proc proc "$1"
  mount --bind "$1/sys" "$1/sys"
  mount --bind "$1/sys/net" "$1/sys/net"
  mount -o remount,bind,ro "$1/sys"
  [ ! -e "$1/sysrq-trigger" ] || mount --bind /dev/null "$1/sysrq-trigger"
}

make_devices() {
  local dev=$1 node
  mount -t tmpfs -o mode=0755,nosuid tmpfs "$dev"
  for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0' 'fuse 10 229'; do
    read -r name major minor <<<"$node"
    mknod -m 0666 "$dev/$name" c "$major" "$minor"
  done
  mkdir "$dev/pts" "$dev/shm" "$dev/mqueue"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$dev/pts"
  mount -t tmpfs tmpfs "$dev/shm"
  ln -s pts/ptmx "$dev/ptmx"
  ln -s /proc/self/fd "$dev/fd"
}

# What the host runs, and an installation that it may have, is none of this machine's; it starts what it is asked to.
empty_the_disk() {
  local root=$1 system=$1/usr/lib/systemd
  rm -rf "$root"/etc/systemd/system/* "$root"/etc/{fstab,bot-platform} "$root"/var/lib/bot-platform "$root"/var/log/journal "$root"/usr/local/bin/botctl
  rm -rf "$root"/etc/docker "$root"/etc/default/docker
  sed -i '/^bot-admin:/d' "$root"/etc/group "$root"/etc/gshadow
  rm -rf "$system"/system-generators "$system"/system/*.wants
  mkdir "$system/system/sockets.target.wants"
  ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket "$system/system/sockets.target.wants/"
}

mount_disk() {
  local disk=$1 root=$1/root folder; shift
  mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
  if [ ! -e "$disk/emptied" ]; then empty_the_disk "$root"; touch "$disk/emptied"; fi
  for folder in docker containerd; do
    mkdir -p "$root/var/lib/$folder"
    mount --bind "$disk/$folder" "$root/var/lib/$folder"
  done
  for folder in "$@"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,bind,ro "$root$folder"
  done
  mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$root/run"
}

# The first process of the pid namespace, in its cgroup namespace: becomes systemd.
boot() {
  local disk=$1 root=$1/root
  mount_disk "$@"
  mount_cgroups "$root"
  mount_proc "$root/proc"
  make_devices "$root/dev"
  cd "$root"
  mkdir -p run/old-root
  pivot_root . run/old-root
  umount -l /run/old-root
  rmdir /run/old-root
  mount --make-rshared / # As systemd does it where it finds no container around itself.
  exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin setpriv --bounding-set "$DENIED" \
    /usr/lib/systemd/systemd --unit=multi-user.target --log-target=journal
}

# In a mount namespace of its own, which holds the disk as long as this process lives.
run_machine() {
  local name=$1 disk=$2 code=$REBOOTED; shift 2
  mount -t tmpfs -o "size=$DISK_SIZE,mode=0755" tmpfs "$disk"
  mkdir "$disk"/{root,upper,work,docker,containerd}
  while [ $code = $REBOOTED ]; do
    code=0
    setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --uts --ipc --net bash "$0" --enter "$name" "$disk" "$@" || code=$?
  done
  return $code
}

case ${1:-} in
  --cgroups) cgroups "$2" ;;
  --disk) shift; run_machine "$@" ;;
  --enter) enter_cgroups "$2"; shift 2; exec unshare --cgroup bash "$0" --boot "$@" ;;
  --boot) shift; boot "$@" ;;
  *) exec setpriv --pdeathsig KILL unshare --mount --propagation private bash "$0" --disk "$@" ;;
esac
