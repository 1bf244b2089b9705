// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensors of a file: checked, filled from external data, and made into ours.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    none in the file.
//   Fails    with a reason that does not name the tensor: callers know where it stands.

#include "isolated/engine/graph/tensor.h"
#include "isolated/engine/onnx/external_data.h"
#include "isolated/engine/onnx/proto.h"

namespace casemate::engine {

class FileTensors;

// How much a model may still allocate for its constants.
struct Budget {
  uint64_t bytes_left = 0;
  Status take(uint64_t bytes);
};

// Whether the tensor is sound: a type that we hold, dimensions in range, its data once and of the
// right length. External data is read into it first, so that afterwards no tensor refers to a file
// of its own. `raw` is its raw_data if that was left in the model's file.
Status admit_tensor(onnx::TensorProto& tensor, const ExternalData& external, Budget& budget,
                    Bytes raw = {});

// Our form of the tensor; takes its bytes away, or leaves `raw` to `file_tensors` where these take
// it. Requires: admitted.
Result<Tensor> take_tensor(onnx::TensorProto& tensor, Bytes raw = {},
                           FileTensors* file_tensors = nullptr);

// The shape, if it has at most limits::kRank dimensions and none is negative.
Result<Shape> shape_from(std::span<const int64_t> dims);

}  // namespace casemate::engine
