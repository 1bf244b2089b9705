// SPDX-License-Identifier: Apache-2.0
#pragma once
// Depth-wise QLinearConv on loops over lines (byte_product.h), channels last.

#include "isolated/engine/kernels/byte_form.h"
#include "isolated/engine/kernels/image.h"

namespace casemate::engine {

// Whether these loops know the window, and what follows it.
bool depthwise_takes(const ImageWindow& window, const ByteForm& form);
// Requires: depthwise_takes().
KernelResult make_byte_depthwise(const KernelRequest& request, const ByteInputs& inputs,
                                 const ImageWindow& window, ByteForm form);

}  // namespace casemate::engine
