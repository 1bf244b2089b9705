#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command where the needed libraries are:  tools/inside.sh base|peers DIR COMMAND [ARG ...]
# On Debian 13 or later with the packages installed that is right here; elsewhere it is the toolchain root.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
kind=$1 dir=$2; shift 2

has_packages() {
  local id=0 version=0 lists=("$here/packages.base")
  [ "$kind" = peers ] && lists+=("$here/packages.peers")
  id=$(. /etc/os-release && echo "${ID:-}") version=$(. /etc/os-release && echo "${VERSION_ID:-0}")
  [ "$id" = debian ] && [ "${version%%.*}" -ge 13 ] || return 1
  grep -hv -e '^#' -e '^$' "${lists[@]}" | xargs dpkg-query -W -f '${Status}\n' 2>/dev/null |
    awk '!/^install ok installed$/ {exit 1} {n++} END {exit n == 0}' &&
    grep -hv -e '^#' -e '^$' "${lists[@]}" | xargs dpkg-query -W >/dev/null 2>&1
}

# Already inside, or on a machine that needs no root of its own.
if [ -n "${CASEMATE_INSIDE:-}" ] && { [ "$kind" = base ] || [[ $CASEMATE_INSIDE == */peers-* ]]; } || has_packages; then
  cd "$dir"
  exec "$@"
fi
root=$("$here/toolchain.sh" "$kind")
exec "$here/enter.sh" "$root" "$dir" "$@"
