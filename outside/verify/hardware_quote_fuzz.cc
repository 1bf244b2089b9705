// SPDX-License-Identifier: Apache-2.0
// Bytes as they came, and the same behind a right magic. What is read is spelled as it would be
// written, and every view lies in the bytes.
#include <algorithm>

#include "base/check.h"
#include "outside/verify/hardware_quote.h"

namespace {

using namespace casemate;

void check(Bytes bytes) {
  const auto read = verify::read_hardware_quote(bytes);
  if (!read) {
    CHECK(read.error().text.size() > 20, "a refusal is a sentence");
    return;
  }
  CHECK(!read->report.empty(), "there is a report");
  const auto again = encode_hardware_quote(read->root, read->provider, read->report,
                                           read->auxiliary, read->manifest);
  CHECK(bytes.size() > kQuoteBytes || std::ranges::equal(*again, bytes), "one spelling");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check({data, size});
  HardwareQuote head;
  std::vector<uint8_t> bytes(data, data + size);
  bytes.resize(std::max(size, sizeof head));
  std::ranges::copy(bytes_of(head).first(offsetof(HardwareQuote, root)), bytes.begin());
  // Sizes of chance hardly ever agree with what follows; these do, if they are in its range.
  const uint64_t behind = bytes.size() - sizeof head;
  head = load<HardwareQuote>(bytes);
  if (head.report_size <= behind && head.auxiliary_size <= behind - head.report_size)
    head.manifest_size = static_cast<uint32_t>(behind - head.report_size - head.auxiliary_size);
  std::ranges::copy(bytes_of(head), bytes.begin());
  check(bytes);
  return 0;
}
