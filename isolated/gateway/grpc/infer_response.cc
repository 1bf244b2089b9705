// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "base/format.h"
#include "isolated/gateway/grpc/fields.h"
#include "isolated/gateway/grpc/infer_message.h"
#include "isolated/gateway/grpc/messages.h"
#include "isolated/gateway/protocol/classify.h"

namespace casemate::gateway {
namespace {

constexpr uint32_t kOutputs = 5;
constexpr uint32_t kRawContents = 6;

}  // namespace

Status write_infer_response(const ModelLabel& model, const ModelDescription& description,
                            const InferenceRequest& request, std::span<const TensorView> outputs,
                            GrpcAnswer& answer) {
  answer.made.clear();
  answer.between.clear();
  answer.pieces.clear();
  std::string fields;
  FieldWriter(fields).text(1, model.name).text(2, model.version).text(3, request.id);
  std::vector<Bytes> tensors;
  uint64_t size = 0;
  for (const OutputChoice& choice : request.outputs) {
    TensorView tensor = outputs[choice.port];
    if (choice.classes != 0) {
      Classes classes =
          classify(tensor, choice.classes, description.batch_max != 0 && tensor.shape.rank() > 0);
      answer.made.push_back(std::move(classes.strings));
      tensor = {ElementType::kString, classes.shape, answer.made.back()};
    }
    std::string output;
    FieldWriter(output)
        .text(1, description.outputs[choice.port].name.view())
        .text(2, name_of(tensor.type))
        .packed(3, tensor.shape.dims());
    FieldWriter(fields).element(kOutputs, output);
    append_length(answer.between.emplace_back(), kRawContents, tensor.data.size());
    tensors.push_back(tensor.data);
    size += answer.between.back().size() + tensor.data.size();
  }
  size += fields.size();
  if (size > std::numeric_limits<uint32_t>::max())
    return Error{Code::kTooLarge,
                 "the answer is larger than a message of gRPC may be; ask for "
                 "fewer outputs"};
  answer.head = message_head(size) + fields;
  answer.pieces.push_back(bytes_of(std::string_view(answer.head)));
  for (size_t i = 0; i < tensors.size(); ++i) {
    answer.pieces.push_back(bytes_of(std::string_view(answer.between[i])));
    answer.pieces.push_back(tensors[i]);
  }
  return {};
}

}  // namespace casemate::gateway
