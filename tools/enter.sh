#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command inside a toolchain root:  tools/enter.sh ROOT DIR COMMAND [ARG ...]
#
# A new mount namespace gets a small tmpfs as its root: the toolchain's /usr, and every other
# top-level folder of the machine under its own name, so paths mean the same inside and outside. Two
# are put together from both sides: /etc has what the toolchain brings and beside that the machine's,
# /usr/local the machine's without what a compiler or a loader would look for. The rest of the
# machine's /usr cannot be had; who is called from there, or lies there, is told so.
#
# pivot_root (not chroot) is used because the kernel refuses new user namespaces to a process that was
# merely chrooted, and the jail needs them. Without root the same happens in a user namespace that
# maps the caller to root.
set -euo pipefail
root=$1 dir=$2; shift 2

refuse() { printf 'dev: %s\n' "$*" >&2; exit 3; }

if [ "${CASEMATE_ENTERING:-}" != 1 ]; then
  # Held by the command and all that it starts: while somebody is inside, the root is not removed.
  gone="the toolchain root $root is just being removed: run this again."
  [ -f "$root/.complete" ] || refuse "$gone"
  touch -c "$root/.complete" 2>/dev/null || true  # another user's
  exec {stamp}<"$root/.complete" || refuse "$gone"
  flock -n -s "$stamp" && [ -f "$root/.complete" ] || refuse "$gone"
  flags=(--mount --propagation private)
  if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
    flags+=(--user --map-root-user)
    unshare "${flags[@]}" true 2>/dev/null ||
      refuse "this machine refuses user namespaces to uid $(id -u), and the toolchain root is entered through one:" \
        "run as root, or allow them (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)."
  fi
  CASEMATE_ENTERING=1 exec unshare "${flags[@]}" "$BASH" "$0" "$root" "$dir" "$@"
fi
unset CASEMATE_ENTERING
shopt -s nullglob dotglob

# graft FROM TO PATTERN: the machine's entries of FROM whose names do not match PATTERN and that TO lacks.
graft() {
  local entry name
  for entry in "$1"/*; do
    name=${entry##*/}
    # shellcheck disable=SC2053
    if [[ $name == $3 ]] || [ -e "$2/$name" ] || [ -L "$2/$name" ]; then continue; fi
    if [ -L "$entry" ]; then cp -P "$entry" "$2/$name"
    elif [ -d "$entry" ]; then mkdir "$2/$name"; mount --rbind "$entry" "$2/$name" || rmdir "$2/$name"
    elif [ -f "$entry" ]; then : >"$2/$name"; mount --bind "$entry" "$2/$name" || rm "$2/$name"; fi
  done
}

# What a path is, in this namespace: the same inside means that it can be had there.
identity() { stat -Lc %d:%i "$1" 2>/dev/null || true; }
here=$(identity "$dir") there=no
[[ $1 = /* ]] && [ -e "$1" ] && there=yes

new=$root/proc   # any folder of the root that stays empty on disk; the tmpfs covers it in this namespace only
mount -t tmpfs -o mode=755 casemate-root "$new"
cd "$new"
shopt -s extglob
for d in "$root"/@(bin|sbin|lib|lib32|lib64|libx32); do cp -P "$d" .; done
mkdir usr && mount --rbind "$root/usr" usr
if [ -d usr/local ] && [ -d /usr/local ]; then
  mount -t tmpfs -o mode=755 casemate-local usr/local
  mkdir usr/local/share
  graft /usr/local usr/local '@(bin|sbin|lib*|include|etc|cmake*)'
  graft /usr/local/share usr/local/share '@(cmake*|pkgconfig|aclocal)'
fi
# Links are made in one go, and one level below / as the folders that they lead to, so that links out
# of these ("../usr/lib/os-release") still lead where they did.
mkdir etc .etc.root .etc.machine .ccache
mount --rbind "$root/etc" .etc.root
mount --rbind /etc .etc.machine
for f in /etc/@(resolv.conf|hosts|hostname); do ln -s "/.etc.machine/${f##*/}" etc/; done
(cd .etc.root && for f in *; do [ -L "../etc/$f" ] || printf '/.etc.root/%s\0' "$f"; done) | xargs -0 -r ln -s -t etc
# A list of libraries for every program, and choices between programs, are the machine's own.
(cd .etc.machine && for f in !(ld.so.*|alternatives); do [ -L "../etc/$f" ] || printf '/.etc.machine/%s\0' "$f"; done) |
  xargs -0 -r ln -s -t etc
mount --bind "$root/var/cache/ccache" .ccache
graft "" . '@(lost+found|boot|initrd*|vmlinuz*|.etc.*|.ccache)'
mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old

lost() {
  local top=${1#/}
  refuse "$1 cannot be reached in the toolchain root, which has a /${top%%/*} of its own: move it, to your home" \
    "folder for example, or work from another folder."
}
case $dir in
  / | /etc | /usr/local | /usr/local/share) ;;  # put together from both sides
  *) [ "$(identity "$dir")" = "$here" ] || lost "$dir" ;;
esac
[ -e "$1" ] || [ "$there" = no ] || lost "$1"
cd "$dir"
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin CASEMATE_INSIDE=$root
# Relative to the checkout, so that one finds what another has compiled.
export CCACHE_DIR=/.ccache CCACHE_MAXSIZE=4G CCACHE_BASEDIR=$dir LC_ALL=C.UTF-8
exec "$@"
