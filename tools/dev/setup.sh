#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
echo "the toolchain is ready: ${CASEMATE_INSIDE:-this machine\'s own Debian 13 packages}"
