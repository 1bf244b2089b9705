// SPDX-License-Identifier: Apache-2.0
#pragma once
// Schemas: ONNX's own descriptions of its operators, each made when it is first asked for. The
// registry of libonnx would make all of them at once, which takes longer than loading a small
// model.
//
//   Owns     the schemas that were made, for as long as the process lives.
//   Threads  any.
//   Trust    none in names and versions.
//   Fails    none for what the operator set does not have.

#include <string>

namespace onnx {
class OpSchema;
}

namespace casemate::engine {

// That of the newest version of the operator that is not above `version`. Throws what libonnx does.
const onnx::OpSchema* schema_of(const std::string& op, int version, const std::string& domain);

}  // namespace casemate::engine
