#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command inside a toolchain root:  tools/enter.sh ROOT DIR COMMAND [ARG ...]
#
# A new mount namespace gets a small tmpfs as its root: the toolchain's /usr and /etc, the machine's /proc,
# /sys and /dev, and every other top-level folder of the machine under its own name, so paths mean the same
# inside and outside. pivot_root (not chroot) is used because the kernel refuses new user namespaces to a
# process that was merely chrooted, and the jail needs them. Without root the same happens in a user
# namespace that maps the caller to root.
set -euo pipefail
root=$1 dir=$2; shift 2

if [ "${CASEMATE_ENTERING:-}" != 1 ]; then
  flags=(--mount --propagation private)
  if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
    flags+=(--user --map-root-user)
    unshare "${flags[@]}" true 2>/dev/null || {
      echo "dev: this machine refuses user namespaces to uid $(id -u), and the toolchain root is entered through one:" \
        "run as root, or allow them (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)." >&2
      exit 3
    }
  fi
  CASEMATE_ENTERING=1 exec unshare "${flags[@]}" "$BASH" "$0" "$root" "$dir" "$@"
fi
unset CASEMATE_ENTERING

new=$root/proc   # any folder of the root that stays empty on disk; the tmpfs covers it in this namespace only
mount -t tmpfs -o mode=755 casemate-root "$new"
cd "$new"
for d in "$root"/*; do
  name=${d##*/}
  case $name in
    bin|sbin|lib|lib32|lib64|libx32) cp -P "$d" "$name" ;;
    usr|etc|var) mkdir "$name"; mount --rbind "$d" "$name" ;;
  esac
done
for d in /*; do
  name=${d##*/}
  [ -e "$name" ] || [ -L "$name" ] && continue
  case $name in lost+found|boot|initrd*|vmlinuz*) continue ;; esac
  if [ -L "$d" ]; then cp -P "$d" "$name"
  elif [ -d "$d" ]; then mkdir "$name"; mount --rbind "$d" "$name"; fi
done
# Folders of the machine below /var and /etc that a command may still need to see.
[ -d /var/tmp ] && mkdir -p var/tmp && mount --rbind /var/tmp var/tmp
for f in resolv.conf hosts; do
  [ -f "/etc/$f" ] && { [ -e "etc/$f" ] || : >"etc/$f"; } && mount --bind "/etc/$f" "etc/$f"
done
mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old
cd "$dir"
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin CASEMATE_INSIDE=$root
export CCACHE_DIR=/var/cache/ccache CCACHE_MAXSIZE=4G LC_ALL=C.UTF-8
exec "$@"
