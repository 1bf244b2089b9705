#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the private Debian 13 toolchain root that ./dev works in, and prints its path.
#
#   tools/toolchain.sh base|peers
#
# Packages are downloaded with the machine's own apt into a private state folder and unpacked without
# running their scripts, so no privilege is needed and nothing else on the machine changes. A root is
# complete only if its stamp says so; anything else is thrown away and made again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kind=${1:?usage: tools/toolchain.sh base|peers}
roots=${CASEMATE_ROOTS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/casemate}
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

refuse() { printf 'dev: %s\n' "$*" >&2; exit 3; }
say() { printf 'dev: %s\n' "$*" >&2; }

list_of() { grep -hv -e '^#' -e '^$' "$@"; }

lists=("$here/packages.base")
[ "$kind" = peers ] && lists+=("$here/packages.peers")
# The unpacking rules shape the root as much as the list does, so both are in its name.
key=$(list_of "${lists[@]}" | cat - "$here/toolchain.sh" | sha256sum | cut -c1-16)
root=$roots/$kind-$key
stamp=$root/.complete

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && [ -x "$root/usr/bin/g++-14" ]; then
  echo "$root"; exit 0
fi

for tool in apt-get dpkg-deb flock sha256sum; do
  command -v "$tool" >/dev/null || refuse "'$tool' is missing, and the toolchain root is made with it:" \
    "use a Debian or Ubuntu machine, or one with Debian 13's packages installed (tools/packages.base)."
done
mkdir -p "$roots"
exec 9>"$roots/.lock"
flock -n 9 || { say "another checkout is preparing a toolchain root, waiting for it ..."; flock 9; }
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then echo "$root"; exit 0; fi

mirror() {
  if [ -n "${CASEMATE_DEBIAN_MIRROR:-}" ]; then echo "$CASEMATE_DEBIAN_MIRROR"; return; fi
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -i '/debian/\?$' | head -n 1
}
uri=$(mirror)
[ -n "$uri" ] || refuse "this machine's apt names no Debian mirror: set CASEMATE_DEBIAN_MIRROR to the address of one."
[ -r "$keyring" ] || refuse "$keyring is missing: install debian-archive-keyring, the packages' signatures are checked with it."

started=$SECONDS
apt=$roots/.apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
echo "deb [signed-by=$keyring] $uri $release main" >"$apt/sources.list"
cat >"$apt/conf" <<CONF
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null"; Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false"; APT::Architecture "amd64"; APT::Architectures { "amd64"; };
APT::Sandbox::User ""; Debug::NoLocking "true"; Acquire::Retries "3"; Acquire::Languages "none";
CONF
export APT_CONFIG=$apt/conf LC_ALL=C.UTF-8
say "preparing the Debian 13 toolchain root once ($root)"
say "  1/3 package lists"
apt-get -qq update >"$apt/update.log" 2>&1 ||
  refuse "the package lists could not be fetched from the machine's Debian mirror; apt said: $(grep -m1 -E '^(E|Err)' "$apt/update.log")"
mapfile -t packages < <(list_of "${lists[@]}")
rm -f "$apt"/cache/archives/*.deb
say "  2/3 downloading $(apt-get -s -qq install "${packages[@]}" 2>/dev/null | grep -c '^Inst') packages"
apt-get -y -qq --download-only install "${packages[@]}" >"$apt/download.log" 2>&1 ||
  refuse "the packages could not be downloaded; apt said: $(grep -m1 '^E' "$apt/download.log")"
half=$root.half
rm -rf "$half" "$root"
mkdir -p "$half/var/lib/dpkg/info"
unpack() { # deb
  dpkg-deb -x "$1" "$half" && { dpkg-deb -f "$1"; echo 'Status: install ok installed'; echo; } >"$half/var/lib/dpkg/info/$(basename "$1").control"
}
export -f unpack
export half
files=("$apt"/cache/archives/*.deb)
say "  3/3 unpacking ${#files[@]} packages"
# base-files brings the links /bin, /lib, /sbin -> usr/*, which all others are unpacked through.
for f in "${files[@]}"; do case $f in */base-files_*) unpack "$f" ;; esac; done
printf '%s\n' "${files[@]}" | grep -v '/base-files_' | xargs -P "$(nproc)" -I{} bash -c 'unpack "$1"' _ {} ||
  refuse "a package could not be unpacked into $half: is the disk full?"
for f in "$half"/var/lib/dpkg/info/*.control; do cat "$f"; done >"$half/var/lib/dpkg/status"
rm -f "$half"/var/lib/dpkg/info/*.control

# What the skipped package scripts would have done, as far as anything here needs it.
link() { [ -e "$half/$2" ] || [ -L "$half/$2" ] || ln -s "$1" "$half/$2"; }
link bash usr/bin/sh
link gawk usr/bin/awk
link g++-14 usr/bin/c++
link gcc-14 usr/bin/cc
link g++-14 usr/bin/g++
link gcc-14 usr/bin/gcc
link ../usr/share/zoneinfo/Etc/UTC etc/localtime
[ -f "$half/etc/passwd" ] || cp "$half/usr/share/base-passwd/passwd.master" "$half/etc/passwd"
[ -f "$half/etc/group" ] || cp "$half/usr/share/base-passwd/group.master" "$half/etc/group"
for d in blas lapack; do
  [ -d "$half/usr/lib/x86_64-linux-gnu/$d" ] && echo "/usr/lib/x86_64-linux-gnu/$d" >>"$half/etc/ld.so.conf.d/$d.conf"
done
ldconfig -r "$half" 2>/dev/null || /sbin/ldconfig -r "$half" 2>/dev/null || true
mkdir -p "$half/var/cache/ccache" "$half"/{proc,sys,dev,tmp,run}
printf '%s' "$key" >"$half/.complete"
mv "$half" "$root"
rm -f "$apt"/cache/archives/*.deb
# Roots of earlier package lists that nobody has entered for a month are dropped.
find "$roots" -maxdepth 1 -type d \( -name 'base-*' -o -name 'peers-*' \) ! -path "$root" -mtime +30 -exec rm -rf {} + 2>/dev/null || true
say "  done in $((SECONDS - started)) s"
echo "$root"
