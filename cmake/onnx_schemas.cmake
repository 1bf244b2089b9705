# SPDX-License-Identifier: Apache-2.0
# Writes schemas.inc, a table of ONNX's schemas as its headers list them, into the build folder of the component that
# includes this. With it we make the few that a model needs: libonnx makes all 571 when it is first asked for one.
find_path(CASEMATE_ONNX_HEADERS onnx/defs/operator_sets.h REQUIRED)
set(table "")
foreach(header operator_sets operator_sets_ml operator_sets_preview)
  file(READ ${CASEMATE_ONNX_HEADERS}/onnx/defs/${header}.h text)
  string(REGEX MATCHALL "GetOpSchema<ONNX[A-Z_]*SCHEMA_CLASS_NAME\\([A-Za-z0-9, ]*\\)>" entries "${text}")
  foreach(entry IN LISTS entries)
    string(REGEX REPLACE ".*PREVIEW.*\\(" "(OnnxPreview, " entry "${entry}")
    string(REGEX REPLACE ".*\\(([A-Za-z]+), ([0-9]+), ([A-Za-z0-9]+)\\).*" "SCHEMA(\\1, \\2, \\3)" entry "${entry}")
    string(APPEND table "${entry}\n")
  endforeach()
endforeach()
file(CONFIGURE OUTPUT schemas.inc CONTENT "${table}" @ONLY)
