#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Downloads Debian 13 packages and unpacks them:  tools/make_root.sh DIR APT_DIR LIST ...
#
# The machine's own apt downloads them into a private state folder, and they are unpacked without
# running their scripts, so no privilege is needed and nothing else on the machine changes.
# tools/toolchain.sh names a root after this file and the lists, and calls it where one is missing.
set -euo pipefail
export half=$1 apt=$2; shift 2
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

refuse() { printf 'dev: %s\n' "$*" >&2; exit 3; }
say() { printf 'dev: %s\n' "$*" >&2; }

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || refuse "'$tool' is missing, and the toolchain root is made with it:" \
    "use a Debian or Ubuntu machine, or one with Debian 13's packages installed (tools/packages.base)."
done

mirror() {
  if [ -n "${CASEMATE_DEBIAN_MIRROR:-}" ]; then echo "$CASEMATE_DEBIAN_MIRROR"; return; fi
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -i '/debian/\?$' | head -n 1
}
uri=$(mirror) || true  # grep finds none
[ -n "$uri" ] || refuse "this machine's apt names no Debian mirror: set CASEMATE_DEBIAN_MIRROR to the" \
  "address of one, as it stands behind 'deb' in a Debian machine's sources, and run this again."
[ -r "$keyring" ] || refuse "$keyring is missing: install debian-archive-keyring, the packages' signatures are checked with it."

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
say "  1/3 package lists"
apt-get -qq update >"$apt/update.log" 2>&1 ||
  refuse "the package lists could not be fetched from the machine's Debian mirror; apt said: $(grep -m1 -E '^(E|Err)' "$apt/update.log")"
mapfile -t packages < <(grep -hv -e '^#' -e '^$' "$@")
rm -f "$apt"/cache/archives/*.deb
say "  2/3 downloading $(apt-get -s -qq install "${packages[@]}" 2>/dev/null | grep -c '^Inst') packages"
apt-get -y -qq --download-only install "${packages[@]}" >"$apt/download.log" 2>&1 ||
  refuse "the packages could not be downloaded; apt said: $(grep -m1 '^E' "$apt/download.log")"
mkdir -p "$half/var/lib/dpkg/info"
unpack() { # deb
  dpkg-deb -x "$1" "$half" && { dpkg-deb -f "$1"; echo 'Status: install ok installed'; echo; } >"$half/var/lib/dpkg/info/$(basename "$1").control"
}
export -f unpack
files=("$apt"/cache/archives/*.deb)
say "  3/3 unpacking ${#files[@]} packages"
# base-files brings the links /bin, /lib, /sbin -> usr/*, which all others are unpacked through.
for f in "${files[@]}"; do case $f in */base-files_*) unpack "$f" ;; esac; done
printf '%s\0' "${files[@]}" | grep -zv '/base-files_' | xargs -0 -P "$(nproc)" -n 1 bash -c 'unpack "$1"' _ ||
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
# Where tools/enter.sh mounts things, and the compiler keeps what it has compiled.
mkdir -p "$half/usr/local" "$half/var/cache/ccache" "$half"/{proc,sys,dev,tmp,run}
rm -f "$apt"/cache/archives/*.deb
