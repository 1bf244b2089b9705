#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
own="this machine's own Debian 13 packages"
echo "the toolchain is ready: ${CASEMATE_INSIDE:-$own}"
